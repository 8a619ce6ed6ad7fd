-- Only verdicts that are new or different: another verdict, rule, reason or unknown rule.
INSERT INTO verdict_history
SELECT
    feed, upstream, name, version, verdict, rule, reason, unknown, decided_at, policy_hash, held_until, results,
    atoms, seen, outline_hash
FROM next_verdicts
SEMI JOIN (FROM changed_verdicts WHERE is_other) USING (upstream, name, version)
