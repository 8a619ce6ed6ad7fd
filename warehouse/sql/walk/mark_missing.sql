-- Entries that this full walk did not meet; not those that a commit changed after its pages were read.
UPDATE entries SET missing_since = $now
WHERE upstream = $upstream AND vanished_at IS NULL AND missing_since IS NULL
    AND updated_at < $horizon AND (commit <= $after_commit OR commit = $commit)
    AND NOT EXISTS (
        SELECT 1 FROM reading r
        WHERE r.name = entries.name AND r.version = entries.version
    )
    AND NOT EXISTS (
        SELECT 1 FROM incoming_unreadable u
        WHERE u.name = entries.name AND u.version = entries.version
    )
