"""Serving measured: against a static file server, against a database, and while editions change."""
