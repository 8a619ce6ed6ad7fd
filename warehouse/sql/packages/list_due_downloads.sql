-- Packages whose downloads are due to be counted, those never counted first.
SELECT w.origin, w.package, s.source
FROM packages_wanted($now) w
JOIN (SELECT unnest($origins) AS origin, unnest($sources) AS source) s USING (origin)
LEFT JOIN package_checks c ON c.origin = s.source AND c.package = w.package
LEFT JOIN hosts h ON h.origin = s.source AND h.closed_until > $now
WHERE h.origin IS NULL AND (c.due_at IS NULL OR c.due_at <= $now)
ORDER BY c.checked_at NULLS FIRST, w.admitted DESC, w.newest DESC, w.origin, w.package
LIMIT $budget
