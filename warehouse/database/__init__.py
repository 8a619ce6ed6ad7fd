"""The file, its lock, its schema; sessions, memory, Arrow tables on their way in."""
