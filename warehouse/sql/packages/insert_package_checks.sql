INSERT INTO package_checks BY NAME SELECT * FROM batch_checks
