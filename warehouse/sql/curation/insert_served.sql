INSERT INTO served
SELECT b.feed, b.name, b.version, b.edition
FROM batch_served b
ANTI JOIN served s USING (feed, name, version)
