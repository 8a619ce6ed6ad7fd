"""What is answered: one module per kind of answer. No sockets here."""
