-- Latest flags that follow from this walk: those that a read of all versions showed, the versions that a plain
-- publish demotes, and, after a full walk, the versions that it did not meet.
CREATE OR REPLACE TEMP TABLE flags AS
WITH told AS (
    SELECT name, max(after_commit) AS after_commit
    FROM reading
    WHERE authoritative
    GROUP BY name
),
published AS (
    SELECT DISTINCT name
    FROM changed
    ANTI JOIN told USING (name)
    WHERE is_latest AND status = 'active' AND updated_at = published_at
)
SELECT e.name, e.version, coalesce(r.is_latest, false) AS is_latest
FROM entries e
JOIN told t ON t.name = e.name AND (e.commit <= t.after_commit OR e.commit = $commit)
ANTI JOIN incoming_unreadable u ON u.name = e.name AND u.version = e.version
LEFT JOIN reading r ON r.name = e.name AND r.version = e.version
WHERE e.upstream = $upstream AND e.is_latest <> coalesce(r.is_latest, false)
UNION
SELECT e.name, e.version, false AS is_latest
FROM entries e
SEMI JOIN published USING (name)
ANTI JOIN (SELECT name, version FROM changed WHERE is_latest) c USING (name, version)
WHERE e.upstream = $upstream AND e.is_latest
UNION
SELECT e.name, e.version, false AS is_latest
FROM entries e
JOIN (
    SELECT name, min(after_commit) AS after_commit
    FROM reading
    GROUP BY name
    HAVING count(*) FILTER (is_latest) = 1
) r ON r.name = e.name AND (e.commit <= r.after_commit OR e.commit = $commit)
ANTI JOIN reading m ON m.name = e.name AND m.version = e.version
WHERE $sweeping AND e.upstream = $upstream AND e.is_latest
