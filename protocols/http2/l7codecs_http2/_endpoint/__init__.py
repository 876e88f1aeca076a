"""The side that a caller plays: what is written, in which order, and how much of it."""
