"""The decisions of editors: feed documents, overlays, blocks; and explanations of verdicts."""
