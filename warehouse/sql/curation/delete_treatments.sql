-- Treatments of some servers that are not those of the last build; what stays is not written again.
DELETE FROM treatments t
WHERE feed = $feed
    AND name IN (FROM wanted_names)
    AND NOT EXISTS (
        FROM batch_treatments b
        WHERE b.name = t.name AND b.version = t.version AND b.kind = t.kind AND b.rule = t.rule AND b.detail = t.detail
    )
