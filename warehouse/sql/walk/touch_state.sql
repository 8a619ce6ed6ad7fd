UPDATE state SET
    committed_at = $now,
    commits = $commit
WHERE upstream = $upstream
