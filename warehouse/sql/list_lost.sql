-- Entries that a feed once showed and that have no verdict in it, in the order of the feed.
SELECT
    s.name, s.version,
    coalesce(max(e.published_at), any_value(n.published_at)) AS published_at,
    coalesce(max(e.updated_at), any_value(n.published_at)) AS updated_at
FROM served s
ANTI JOIN (SELECT name, version FROM verdicts WHERE feed = $feed) d USING (name, version)
LEFT JOIN entries e ON e.name = s.name AND e.version = s.version
LEFT JOIN editions n ON n.feed = s.feed AND n.edition = s.edition
WHERE s.feed = $feed
GROUP BY s.name, s.version
ORDER BY s.name, s.version
