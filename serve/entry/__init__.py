"""One entry, from upstream's bytes to the bytes that are served. No files and no feed here."""
