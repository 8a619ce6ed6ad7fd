"""The answers of the read API: one module per kind of answer. No sockets here."""
