INSERT INTO advisory_checks SELECT purl, observed_at FROM batch_purls
