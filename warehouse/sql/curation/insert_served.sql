INSERT INTO published_entries
SELECT b.feed, b.name, b.version, b.edition
FROM batch_served b
ANTI JOIN published_entries s USING (feed, name, version)
