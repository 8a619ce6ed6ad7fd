SELECT name
FROM batch_names
WHERE name NOT IN (SELECT name FROM entries)
    AND name NOT IN (SELECT name || '@' || version FROM entries)
ORDER BY name
