"""What an operator does by hand: block, export, verify editions, release names."""
