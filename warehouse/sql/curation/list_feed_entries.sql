-- The wanted servers' entries with their verdicts, in the order of the feed. Entries that changed since an instant
-- have the hashes of what is served. `as_decided` is false if something was pulled or learned after the verdict.
SELECT
    e.upstream, e.name, e.version, d.verdict, d.rule, d.reason,
    CASE WHEN e.vanished_at IS NOT NULL THEN 'deleted' ELSE e.status END AS status,
    CASE
        WHEN e.vanished_at IS NOT NULL THEN 'vanished from the upstream registry'
        ELSE e.status_message
    END AS status_message,
    e.is_latest, e.published_at, e.updated_at, e.status_changed_at, c.schema_uri,
    $since IS NOT NULL AND d.changed_at <= $since AS kept,
    CASE WHEN d.verdict = 'admit' AND NOT kept THEN e.server_hash END AS server_hash,
    CASE WHEN d.verdict = 'admit' AND NOT kept THEN e.meta_hash END AS meta_hash,
    CASE WHEN d.verdict = 'admit' AND NOT kept THEN e.raw_hash END AS raw_hash,
    d.unknown, d.held_until, d.atoms, d.seen, s.name IS NOT NULL AS served,
    kept OR d.fingerprint IS NOT DISTINCT FROM verdict_fingerprint(
        d.verdict, d.rule, d.reason, d.unknown, d.held_until, d.atoms, e.server_hash, e.meta_hash, e.raw_hash,
        e.status, e.status_message, e.is_latest, e.published_at, e.updated_at, e.status_changed_at,
        e.vanished_at, p.fingerprint
    ) AS as_decided
FROM (FROM entries SEMI JOIN wanted_names USING (name)) e
JOIN (FROM verdicts SEMI JOIN wanted_names USING (name) WHERE feed = $feed) d
    ON d.upstream = e.upstream AND d.name = e.name AND d.version = e.version
LEFT JOIN contents c USING (server_hash)
LEFT JOIN (
    -- bit_xor does not depend on the order of the packages.
    SELECT upstream, name, version, bit_xor(fingerprint) AS fingerprint
    FROM served_packages
    SEMI JOIN wanted_names USING (name)
    GROUP BY upstream, name, version
) p ON p.upstream = e.upstream AND p.name = e.name AND p.version = e.version
LEFT JOIN (FROM published_entries SEMI JOIN wanted_names USING (name) WHERE feed = $feed) s
    ON s.name = e.name AND s.version = e.version
ORDER BY e.name, e.version, e.upstream
