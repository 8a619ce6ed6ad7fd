-- The rules of every policy that a feed was curated by, in evaluation order.
CREATE OR REPLACE VIEW policy_rules AS
SELECT
    feed, policy_hash, outline_hash, since, generate_subscripts(rules, 1) AS ordinal, unnest(rules) AS rule
FROM (
    SELECT
        feed, policy_hash, outline_hash, since,
        from_json(json_extract(outline, '$.rules'), '[{
            "name": "VARCHAR", "kind": "VARCHAR", "verdict": "VARCHAR", "reason": "VARCHAR",
            "when": "VARCHAR", "unknown": "VARCHAR"
        }]') AS rules
    FROM policies
)
