"""Record batches, as they stand in Produce, Fetch and ShareFetch: told without decompressing, and their records on demand."""
