"""One entry: from upstream's bytes to the served bytes. Files and feeds do not belong here."""
