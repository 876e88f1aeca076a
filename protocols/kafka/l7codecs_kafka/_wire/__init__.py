"""What stands on the wire: frames, headers, and the order in which they are answered."""
