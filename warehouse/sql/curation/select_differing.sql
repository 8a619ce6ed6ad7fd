-- The keys of the rows that differ between a table and what should be in it; `{scope}` has the keys to look at.
CREATE TEMP TABLE changed_{table} AS
SELECT DISTINCT {keys}
FROM (
    SELECT {keys}, hash(t) AS row_hash, 1 AS count FROM (SELECT {columns} FROM next_{table}) t
    UNION ALL
    SELECT {keys}, hash(t), -1
    FROM (SELECT {columns} FROM {table} SEMI JOIN (SELECT {within} FROM {scope}) USING ({within})) t
)
GROUP BY {keys}, row_hash
HAVING sum(count) <> 0
