-- The verdicts of a part, each with a hash of how the feed shows the entry, and since when the hash is so.
INSERT INTO next_verdicts BY NAME
SELECT
    f.*,
    CASE WHEN v.fingerprint = f.fingerprint THEN v.changed_at ELSE $now END AS changed_at
FROM (
    SELECT
        d.*,
        verdict_fingerprint(
            d.verdict, d.rule, d.reason, d.unknown, d.held_until, d.atoms, e.server_hash, e.meta_hash, e.raw_hash,
            e.status, e.status_message, e.is_latest, e.published_at, e.updated_at, e.status_changed_at,
            e.vanished_at, p.fingerprint
        ) AS fingerprint
    FROM deciding d
    JOIN entries e USING (upstream, name, version)
    LEFT JOIN (
        -- bit_xor does not depend on the order of the packages.
        SELECT upstream, name, version, bit_xor(fingerprint) AS fingerprint
        FROM served_packages
        SEMI JOIN deciding USING (upstream, name, version)
        GROUP BY upstream, name, version
    ) p USING (upstream, name, version)
) f
LEFT JOIN (FROM verdicts SEMI JOIN deciding USING (name) WHERE feed = $feed) v USING (upstream, name, version)
