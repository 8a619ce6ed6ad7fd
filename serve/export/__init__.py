"""Exports of the live edition as files: a static tree, and allow-lists for clients."""
