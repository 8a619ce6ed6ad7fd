INSERT INTO treatments
SELECT DISTINCT b.*
FROM batch_treatments b
ANTI JOIN (FROM treatments SEMI JOIN wanted_names USING (name)) t USING (feed, name, version, kind, rule, detail)
