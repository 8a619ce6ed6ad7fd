-- By server: the downloads of its most fetched package.
SELECT name, max(downloads) AS downloads
FROM package_columns
WHERE downloads > 0
GROUP BY name
