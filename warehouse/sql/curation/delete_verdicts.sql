DELETE FROM verdicts WHERE feed = $feed
