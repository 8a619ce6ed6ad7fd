"""The database file, its lock, its schema; sessions, memory, Arrow input."""
