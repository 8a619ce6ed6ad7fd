"""Compiling the expressions of rules: what is allowed, and the SQL that runs."""
