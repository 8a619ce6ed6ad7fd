SELECT name, upstream
FROM current_bindings
WHERE name IN (SELECT unnest($names::VARCHAR[])) OR upstream = $of
ORDER BY name
