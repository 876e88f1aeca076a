"""Which request an answer is of: a table for each way to pair, ids rewritten, counts after a loss, memory that is let go."""
