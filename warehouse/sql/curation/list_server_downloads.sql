-- By server how often its most fetched package is fetched.
SELECT name, max(downloads) AS downloads
FROM package_columns
WHERE downloads > 0
GROUP BY name
