"""A feed: its series of editions, which one is live, and which are kept."""
