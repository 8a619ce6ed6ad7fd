"""Building an edition: takes entries with verdicts, writes files. Nothing goes live here."""
