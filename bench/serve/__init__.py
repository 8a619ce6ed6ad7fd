"""Benchmarks of serving: against a file server, against a database, and while editions change."""
