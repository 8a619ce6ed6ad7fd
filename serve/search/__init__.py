"""Ranked full-text search over a feed."""
