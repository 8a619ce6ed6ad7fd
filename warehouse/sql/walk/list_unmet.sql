-- What an incremental walk should have shown and did not: known entries that changed after `since`.
SELECT name, version
FROM entries
ANTI JOIN reading USING (name, version)
ANTI JOIN incoming_unreadable USING (name, version)
WHERE upstream = $upstream AND updated_at > $since AND vanished_at IS NULL
    AND missing_since IS NULL AND hidden < 2
ORDER BY name, version
LIMIT $limit
