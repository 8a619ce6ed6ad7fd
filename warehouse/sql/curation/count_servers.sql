-- How many servers there are.
SELECT count(DISTINCT name) AS servers FROM entries
