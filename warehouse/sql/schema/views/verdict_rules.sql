-- Per feed and entry, every rule in order: its result (NULL: unknown), whether it decided, and the values that it
-- saw.
CREATE OR REPLACE VIEW verdict_rules AS
SELECT
    v.feed, v.upstream, v.name, v.version, r.ordinal, r.rule.name AS rule, r.rule.kind AS kind,
    r.rule.verdict AS verdict, r.rule.reason AS reason, r.rule.when AS expression,
    r.rule.unknown AS when_unknown,
    CASE substr(v.results, r.ordinal::BIGINT, 1) WHEN 't' THEN true WHEN 'f' THEN false END AS result,
    r.rule.name = v.rule AS decided, v.seen, v.decided_at
FROM verdicts v
JOIN policy_rules r ON r.feed = v.feed AND r.outline_hash = v.outline_hash
