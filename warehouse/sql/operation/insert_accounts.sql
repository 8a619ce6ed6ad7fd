INSERT INTO accounts
SELECT noted.subject, $now, noted.account
FROM noted
LEFT JOIN (
    SELECT subject, arg_max(account, noted_at) AS account FROM accounts GROUP BY subject
) known USING (subject)
WHERE noted.account IS DISTINCT FROM known.account
