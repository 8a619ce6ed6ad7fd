"""The live edition as files for others: a static tree, allow-lists for clients."""
