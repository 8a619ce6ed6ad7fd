SELECT decided_at, outline_hash FROM curations WHERE feed = $feed
