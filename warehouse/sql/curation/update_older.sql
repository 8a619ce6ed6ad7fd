UPDATE deciding SET
    verdict = 'exclude',
    rule = 'latest',
    reason = 'the feed shows one version of a server, and ' || o.latest || ' is newer and admitted too'
FROM batch_older o
WHERE deciding.name = o.name AND deciding.version = o.version
