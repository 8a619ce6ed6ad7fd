-- Packages to ask for now, admitted and new ones first; one row per (origin, package).
WITH claimed AS (
    SELECT
        r.origin,
        r.package,
        list_sort(list_distinct(list(r.package_version) FILTER (r.package_version <> '')))
            AS versions,
        max(e.published_at) AS newest,
        bool_or(d.verdict = 'admit') AS admitted
    FROM (SELECT * FROM entries SEMI JOIN current_bindings USING (name, upstream)) e
    JOIN packages p USING (server_hash)
    JOIN package_refs r
        ON r.registry_type = p.registry_type AND r.registry_base_url = p.registry_base_url
        AND r.identifier = p.identifier AND r.version = p.version
    LEFT JOIN verdicts d
        ON d.upstream = e.upstream AND d.name = e.name AND d.version = e.version
    WHERE e.status <> 'deleted' AND e.vanished_at IS NULL AND r.rejected IS NULL
        AND ($origin IS NULL OR (r.origin = $origin AND r.package = $package))
    GROUP BY r.origin, r.package
),
known AS (
    SELECT origin, package, list(version) AS versions, list(coalesce(digest, '')) AS digests
    FROM current_version_facts
    WHERE state = 'known' AND outcome = 'ok' AND (origin <> 'pypi' OR server_names IS NOT NULL)
    GROUP BY origin, package
)
SELECT
    c.origin, c.package, coalesce(c.versions, []) AS versions,
    md5(array_to_string(coalesce(c.versions, []), chr(10))) AS versions_hash,
    k.versions AS known_versions, k.digests AS known_digests,
    h.etag, h.last_modified, h.serial, h.versions_hash AS checked_versions_hash,
    h.absent_since, coalesce(h.absences, 0) AS absences,
    coalesce(h.missing, []) AS missing, coalesce(h.failures, 0) AS failures,
    h.stale_since
FROM claimed c
LEFT JOIN known k USING (origin, package)
LEFT JOIN package_checks h USING (origin, package)
WHERE h.package IS NULL OR h.due_at <= $now OR $origin IS NOT NULL
    OR h.versions_hash <> md5(array_to_string(coalesce(c.versions, []), chr(10)))
ORDER BY coalesce(c.admitted, false) DESC, h.checked_at NULLS FIRST, c.newest DESC, c.origin,
    c.package
LIMIT $budget
