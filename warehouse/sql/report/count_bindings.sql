SELECT upstream, count(*) AS names
FROM current_bindings
GROUP BY upstream
ORDER BY upstream
