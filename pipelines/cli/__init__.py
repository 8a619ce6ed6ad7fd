"""The command line: parsing, one function per command, printing."""
