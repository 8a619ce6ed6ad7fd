UPDATE entries SET is_latest = f.is_latest, commit = $commit
FROM flags f
WHERE entries.upstream = $upstream AND entries.name = f.name AND entries.version = f.version
