DELETE FROM advisory_checks WHERE purl IN (SELECT purl FROM batch_purls)
