"""A feed: the series of its editions, which one is live, and what is kept."""
