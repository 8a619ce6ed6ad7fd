SELECT name, version
FROM entries
WHERE upstream = $upstream AND missing_since IS NOT NULL AND vanished_at IS NULL
ORDER BY missing_since, name, version
