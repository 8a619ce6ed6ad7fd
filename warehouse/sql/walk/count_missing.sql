-- Entries that full walks did not meet. `fresh` are those that this walk missed, except entries that the detail route
-- has shown twice although no list does.
SELECT count(*) AS missing, count(*) FILTER (missing_since = $now AND hidden < 2) AS fresh
FROM entries
WHERE upstream = $upstream AND missing_since IS NOT NULL AND vanished_at IS NULL
