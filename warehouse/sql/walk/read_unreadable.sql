-- Why a record of a walk cannot be read, if not one of its records can be.
SELECT reason
FROM incoming_unreadable
WHERE NOT EXISTS (FROM reading)
ORDER BY reason
LIMIT 1
