SELECT arg_max(outline, since) AS outline
FROM policies
WHERE feed = $feed AND ($at IS NULL OR since <= $at)
HAVING count(*) > 0
