SELECT count(*) AS count FROM incoming_unreadable WHERE name IS NULL OR version IS NULL
