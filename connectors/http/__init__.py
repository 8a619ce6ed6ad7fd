"""One HTTP client for all connectors: allowed addresses, pace, time limits and size limits."""
