INSERT INTO advisories BY NAME SELECT * FROM batch_advisories
