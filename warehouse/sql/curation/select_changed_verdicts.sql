-- Verdicts of the servers in `scope` that are new, different or lost. Ages and instants of answers change by
-- themselves, so they do not count.
CREATE TEMP TABLE changed_verdicts AS
SELECT
    upstream, name, version, d.row_hash IS NULL AS is_lost,
    d.decision IS DISTINCT FROM v.decision AND d.row_hash IS NOT NULL AS is_other
FROM (
    SELECT
        upstream, name, version, hash(verdict, rule, reason, unknown) AS decision,
        hash(
            verdict, rule, reason, unknown, policy_hash, held_until, results, atoms, outline_hash, fingerprint,
            seen_fingerprint
        ) AS row_hash
    FROM next_verdicts
) d
FULL JOIN (
    SELECT
        upstream, name, version, hash(verdict, rule, reason, unknown) AS decision,
        hash(
            verdict, rule, reason, unknown, policy_hash, held_until, results, atoms, outline_hash, fingerprint,
            seen_fingerprint
        ) AS row_hash
    FROM verdicts
    SEMI JOIN scope USING (name)
    WHERE feed = $feed
) v USING (upstream, name, version)
WHERE d.row_hash IS DISTINCT FROM v.row_hash
