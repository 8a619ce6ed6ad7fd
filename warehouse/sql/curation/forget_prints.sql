UPDATE verdicts SET print = NULL
WHERE feed = $feed
    AND EXISTS (
        FROM batch_prints b
        WHERE b.upstream = verdicts.upstream AND b.name = verdicts.name AND b.version = verdicts.version
    )
