-- What a feed decided about a server's versions, and what is known about them upstream.
SELECT
    e.name, e.version, e.status, e.status_message, e.is_latest, e.published_at, e.updated_at,
    e.first_seen, e.vanished_at, e.upstream,
    CASE WHEN b.upstream IS DISTINCT FROM e.upstream THEN coalesce(b.upstream, 'nobody') END
        AS belongs_to,
    d.verdict, d.rule, d.reason, d.unknown, d.decided_at,
    d.policy_hash, d.held_until, d.atoms, d.seen, d.outline_hash, t.treatments, p.packages
FROM entries e
LEFT JOIN current_bindings b ON b.name = e.name
LEFT JOIN verdicts d
    ON d.feed = $feed AND d.upstream = e.upstream AND d.name = e.name AND d.version = e.version
LEFT JOIN (
    SELECT name, version, list(struct_pack(kind, rule, detail) ORDER BY rule, detail) AS treatments
    FROM treatments
    WHERE feed = $feed
    GROUP BY name, version
) t ON t.name = e.name AND t.version = e.version
LEFT JOIN (
    SELECT
        upstream, name, version,
        list(
            struct_pack(
                registry_type, identifier, claimed_version, purl, rejected, package_state,
                package_outcome, version_outcome, absent, latest_version, source, observed_at,
                checked_at, stale_since
            ) ORDER BY ordinal
        ) AS packages
    FROM entry_packages
    WHERE name = $name
    GROUP BY upstream, name, version
) p ON p.upstream = e.upstream AND p.name = e.name AND p.version = e.version
WHERE e.name = $name AND ($version IS NULL OR e.version = $version)
ORDER BY e.published_at DESC, e.version
