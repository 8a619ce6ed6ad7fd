-- The number of servers.
SELECT count(DISTINCT name) AS servers FROM entries
