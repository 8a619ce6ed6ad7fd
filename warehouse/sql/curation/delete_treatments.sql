-- Delete old treatments of the wanted servers; those that the last build repeats stay, so they are not written again.
DELETE FROM treatments t
WHERE feed = $feed
    AND name IN (FROM wanted_names)
    AND NOT EXISTS (
        FROM batch_treatments b
        WHERE b.name = t.name AND b.version = t.version AND b.kind = t.kind AND b.rule = t.rule AND b.detail = t.detail
    )
