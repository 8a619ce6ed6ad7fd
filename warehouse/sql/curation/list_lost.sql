-- Entries of the wanted servers that a feed once showed and that have no verdict in it now, in the order of the feed.
SELECT
    s.name, s.version,
    coalesce(max(e.published_at), any_value(n.published_at)) AS published_at,
    coalesce(max(e.updated_at), any_value(n.published_at)) AS updated_at
FROM (FROM published_entries SEMI JOIN wanted_names USING (name) WHERE feed = $feed) s
ANTI JOIN (FROM verdicts SEMI JOIN wanted_names USING (name) WHERE feed = $feed) d USING (name, version)
LEFT JOIN (FROM entries SEMI JOIN wanted_names USING (name)) e ON e.name = s.name AND e.version = s.version
LEFT JOIN editions n ON n.feed = s.feed AND n.edition = s.edition
GROUP BY s.name, s.version
ORDER BY s.name, s.version
