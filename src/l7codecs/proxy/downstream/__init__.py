"""Between the engine and its clients: what they ask, where it goes, and what they get. See README.md beside this."""
