"""What messages mean: outcomes, access, and the names of topics."""
