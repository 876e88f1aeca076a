"""Between the engine and the hosts: clusters, which connections there are, and what comes on them. See README.md beside this."""
