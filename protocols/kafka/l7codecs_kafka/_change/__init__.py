"""Messages changed on their way, and answers that are made here."""
