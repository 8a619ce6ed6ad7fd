-- Names to read again with the next pull: those that this pull could not read, and those that a full walk showed in
-- an earlier state than the known one.
INSERT INTO unsettled_names
SELECT $upstream, unnest($names::VARCHAR[])
UNION
SELECT DISTINCT $upstream, e.name
FROM reading r
JOIN entries e USING (name, version)
WHERE $sweeping AND e.upstream = $upstream AND r.updated_at < e.updated_at
    AND r.after_commit >= e.commit
    AND (e.updated_at < $horizon OR e.updated_at > $now)
