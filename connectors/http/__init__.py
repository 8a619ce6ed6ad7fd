"""One HTTP client for all: which addresses may be dialled, how fast, how long, how much."""
