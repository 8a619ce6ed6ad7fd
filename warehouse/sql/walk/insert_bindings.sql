-- Bind names that this walk met and that belong to nobody (yet, or any more) to the upstream that brings them. An
-- unreadable record binds its name too. A deleted entry does not bind a released name.
INSERT INTO bindings
WITH met AS (
    SELECT name, bool_or(status <> 'deleted') AS stands FROM reading GROUP BY name
    UNION
    SELECT name, true FROM incoming_unreadable WHERE name IS NOT NULL
),
bound AS (
    SELECT *
    FROM bindings
    SEMI JOIN met USING (name)
    QUALIFY row_number() OVER (PARTITION BY name ORDER BY bound_at DESC) = 1
)
SELECT m.name, $upstream, $now
FROM met m
LEFT JOIN bound b USING (name)
GROUP BY m.name
HAVING bool_and(b.name IS NULL) OR (bool_and(b.upstream IS NULL) AND bool_or(m.stands))
