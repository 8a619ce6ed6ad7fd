DELETE FROM treatments WHERE feed = $feed
