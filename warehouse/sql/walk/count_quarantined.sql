SELECT count(*) AS count FROM quarantine WHERE upstream = $upstream AND released_at IS NULL
