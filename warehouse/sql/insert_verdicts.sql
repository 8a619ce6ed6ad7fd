INSERT INTO verdicts
SELECT
    feed, upstream, name, version, verdict, rule, reason, unknown, decided_at, policy_hash, held_until, results,
    atoms, seen, outline_hash, print, changed_at
FROM deciding
JOIN prints USING (upstream, name, version)
