"""What messages say, and which answers which."""
