INSERT INTO verdicts
SELECT
    feed, upstream, name, version, verdict, rule, reason, unknown, decided_at, policy_hash, held_until, results,
    atoms, seen, outline_hash
FROM deciding
