SELECT d.rule, count(*) AS entries
FROM (
    SELECT unnest(from_json(seen -> '$.dropped', '[{"rule": "VARCHAR", "results": ["BOOLEAN"]}]')) AS d
    FROM verdicts
    WHERE feed = $feed AND verdict = 'admit'
)
WHERE list_contains(d.results, true)
GROUP BY d.rule
