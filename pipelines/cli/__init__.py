"""The command line: parsing, one function per command, what is printed."""
