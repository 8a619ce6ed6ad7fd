-- Verdicts of the servers in `scope` that are new, different or lost. Ages and instants of answers change by
-- themselves, so they do not count.
CREATE TEMP TABLE changed_verdicts AS
SELECT
    upstream, name, version, NOT bool_or(is_next) AS is_lost,
    bool_or(is_next) AND (count(*) = 1 OR min(decision) <> max(decision)) AS is_other
FROM (
    SELECT
        upstream, name, version, is_next, hash(verdict, rule, reason, unknown) AS decision,
        hash(
            verdict, rule, reason, unknown, policy_hash, held_until, results, atoms, outline_hash, fingerprint,
            seen_fingerprint
        ) AS row_hash
    FROM (
        SELECT *, true AS is_next FROM next_verdicts
        UNION ALL
        SELECT *, false FROM verdicts SEMI JOIN scope USING (name) WHERE feed = $feed
    )
)
GROUP BY upstream, name, version
HAVING count(*) = 1 OR min(row_hash) <> max(row_hash)
