INSERT INTO audit_heads
SELECT $now, $lines, $chain
WHERE NOT EXISTS (SELECT 1 FROM audit_heads WHERE lines = $lines AND chain = $chain)
