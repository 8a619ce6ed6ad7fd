-- Without a fingerprint the next curation sees a change.
UPDATE verdicts SET fingerprint = NULL
WHERE feed = $feed
    AND EXISTS (
        FROM batch_stale b
        WHERE b.upstream = verdicts.upstream AND b.name = verdicts.name AND b.version = verdicts.version
    )
