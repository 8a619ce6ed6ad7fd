INSERT INTO package_refs BY NAME SELECT * FROM batch_refs
