-- The reason is the same for all, since each text of its own would be a change with every release.
UPDATE deciding SET
    verdict = 'exclude',
    rule = 'latest',
    reason = 'the feed shows one version of a server, and a newer one is admitted too'
FROM batch_older o
WHERE deciding.name = o.name AND deciding.version = o.version
