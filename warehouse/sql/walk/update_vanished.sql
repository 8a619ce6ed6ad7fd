UPDATE entries SET vanished_at = $now, is_latest = false, commit = $commit
FROM vanished v
WHERE entries.upstream = $upstream AND entries.name = v.name AND entries.version = v.version
