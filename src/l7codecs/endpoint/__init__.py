"""What a session writes where it plays a side: order of answers, what waits for its turn, what is changed, and what was given up."""
