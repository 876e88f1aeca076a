"""Messages written anew, and answers made here."""
