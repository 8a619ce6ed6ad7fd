-- Servers that came, went, or are older or younger than was known: the ranks of their publishers' servers change.
CREATE TEMP TABLE changed_births AS
SELECT DISTINCT name
FROM (
    SELECT name, born, 1 AS count FROM next_standing_servers
    UNION ALL
    SELECT name, born, -1 FROM standing_servers SEMI JOIN scope USING (name)
)
GROUP BY name, born
HAVING sum(count) <> 0
