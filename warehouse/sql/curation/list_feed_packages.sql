-- What is served of the packages of the entries of some servers, in the order of the feed.
SELECT *
FROM served_packages
SEMI JOIN wanted_names USING (name)
ORDER BY name, version, upstream, ordinal
