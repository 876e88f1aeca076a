"""Messages with other attachments, names and ids, and answers that are made here."""
