INSERT INTO package_refs SELECT * FROM batch_refs
