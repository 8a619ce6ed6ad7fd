SELECT coalesce(max(sequence), 0) AS sequence FROM editions WHERE feed = $feed
