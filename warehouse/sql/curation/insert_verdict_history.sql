-- Only verdicts that are new or different: another verdict, rule, reason or unknown rule.
INSERT INTO verdict_history
SELECT
    feed, upstream, name, version, verdict, rule, reason, unknown, decided_at, policy_hash, held_until, results,
    atoms, seen, outline_hash
FROM next_verdicts d
ANTI JOIN (SELECT * FROM verdicts WHERE feed = $feed) v
    ON v.upstream = d.upstream AND v.name = d.name AND v.version = d.version AND v.verdict = d.verdict
    AND v.rule = d.rule AND v.reason = d.reason AND v.unknown = d.unknown
