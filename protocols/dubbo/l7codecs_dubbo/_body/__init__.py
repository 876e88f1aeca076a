"""What a body says, for each serialization behind one interface."""
