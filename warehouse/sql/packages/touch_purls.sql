INSERT INTO touched SELECT DISTINCT 'purl', purl FROM batch_changed
