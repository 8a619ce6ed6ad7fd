INSERT INTO package_checks SELECT * FROM batch_checks
