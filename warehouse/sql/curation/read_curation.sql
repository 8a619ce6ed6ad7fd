SELECT DISTINCT policy_hash FROM verdicts WHERE feed = $feed
