"""From entries and facts to verdicts, and what a build reads of them."""
