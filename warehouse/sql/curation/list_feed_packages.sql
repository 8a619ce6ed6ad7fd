-- The served package data of the wanted servers' entries, in the order of the feed.
SELECT *
FROM served_packages
SEMI JOIN wanted_names USING (name)
ORDER BY name, version, upstream, ordinal
