SELECT upstream, max(committed_at) AS pulled_at
FROM walks
WHERE complete AND ($at IS NULL OR committed_at <= $at)
GROUP BY upstream
ORDER BY upstream
