-- Give each blocked entry the reason of its own block.
UPDATE deciding SET reason = b.reason
FROM batch_blocks b
WHERE deciding.rule = 'block' AND b.target IN (deciding.name, deciding.name || '@' || deciding.version)
