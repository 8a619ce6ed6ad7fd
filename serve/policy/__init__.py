"""What editors said: feed documents, overlays, blocks, and why a verdict came out as it did."""
