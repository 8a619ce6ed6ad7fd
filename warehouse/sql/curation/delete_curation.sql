DELETE FROM curations WHERE feed = $feed
