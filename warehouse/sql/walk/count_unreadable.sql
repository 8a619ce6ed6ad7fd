SELECT count(DISTINCT raw_hash) AS count FROM incoming_unreadable
