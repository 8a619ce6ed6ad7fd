-- What a feed had decided about a server's versions at an instant, and what was known upstream at that time.
SELECT
    e.name, e.version, e.status, e.status_message, e.is_latest, e.published_at, e.updated_at,
    f.first_seen, e.vanished_at, e.upstream, NULL::VARCHAR AS belongs_to,
    d.verdict, d.rule, d.reason, d.unknown, d.decided_at, d.policy_hash, d.held_until, d.atoms, d.seen, d.outline_hash,
    NULL AS treatments, NULL AS packages
FROM entries_as_of($at) e
JOIN (SELECT upstream, name, version, first_seen FROM entries WHERE name = $name) f
    ON f.upstream = e.upstream AND f.name = e.name AND f.version = e.version
LEFT JOIN (
    SELECT * FROM verdict_history
    WHERE feed = $feed AND name = $name AND decided_at <= $at
    QUALIFY row_number() OVER (PARTITION BY upstream, name, version ORDER BY decided_at DESC) = 1
) d ON d.upstream = e.upstream AND d.name = e.name AND d.version = e.version
WHERE e.name = $name AND ($version IS NULL OR e.version = $version)
ORDER BY e.published_at DESC, e.version
