"""Writing an edition: entries with verdicts in, files out. Nothing goes live here."""
