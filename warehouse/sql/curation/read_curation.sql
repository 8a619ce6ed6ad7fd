FROM curations WHERE feed = $feed
