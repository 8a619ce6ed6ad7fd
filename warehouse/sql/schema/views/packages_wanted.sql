-- packages_wanted(T): every claimed package, one row per (origin, package), whether it is due at T, and its tier: new
-- claims; an alarm of the last 30 days or the most popular tenth; the rest. A package that several namespaces claim
-- counts for the smallest of them.
CREATE OR REPLACE MACRO packages_wanted(t) AS TABLE
WITH sizes AS (
    SELECT split_part(e.name, '/', 1) AS namespace, count(*) AS claims
    FROM entries e JOIN packages p USING (server_hash)
    WHERE e.status <> 'deleted' AND e.vanished_at IS NULL
    GROUP BY ALL
),
claimed AS (
    SELECT
        r.origin,
        r.package,
        arg_min(split_part(e.name, '/', 1), z.claims) AS namespace,
        list_sort(list_distinct(list(r.package_version) FILTER (
            r.package_version <> '' AND r.version_kind <> 'range'
        ))) AS versions,
        max(e.published_at) AS newest,
        bool_or(d.verdict = 'admit') AS admitted
    FROM (SELECT * FROM entries SEMI JOIN current_bindings USING (name, upstream)) e
    JOIN packages p USING (server_hash)
    JOIN package_refs r
        ON r.registry_type = p.registry_type AND r.registry_base_url = p.registry_base_url
        AND r.identifier = p.identifier AND r.version = p.version
    JOIN sizes z ON z.namespace = split_part(e.name, '/', 1)
    LEFT JOIN verdicts d
        ON d.upstream = e.upstream AND d.name = e.name AND d.version = e.version
    WHERE e.status <> 'deleted' AND e.vanished_at IS NULL AND r.rejected IS NULL
    GROUP BY r.origin, r.package
),
known AS (
    SELECT
        origin, package, list(version) AS versions, list(coalesce(digest, '')) AS digests,
        list(coalesce(provenance, false)) AS provenances
    FROM current_version_facts
    WHERE state = 'known' AND outcome = 'ok' AND complete
    GROUP BY origin, package
),
watched AS (
    SELECT origin, package FROM package_history
    WHERE greatest(owners_changed_at, recreated_at) > t - INTERVAL 30 DAY
    UNION
    SELECT v.origin, v.package FROM current_version_facts v JOIN version_history h
        USING (origin, package, version)
    WHERE (v.state = 'known' AND v.outcome <> 'ok' AND v.observed_at > t - INTERVAL 30 DAY)
        OR (
            v.observed_at > t - INTERVAL 30 DAY
            AND NOT list_has_all(coalesce(v.server_names, h.ever_names), h.ever_names)
        )
        OR h.digest_moved_at > t - INTERVAL 30 DAY
    UNION
    SELECT origin, package FROM current_popularity WHERE rank >= 0.9
)
SELECT
    c.origin, c.package, c.namespace, coalesce(c.versions, []) AS versions,
    md5(array_to_string(coalesce(c.versions, []), chr(10))) AS versions_hash,
    k.versions AS known_versions, k.digests AS known_digests,
    k.provenances AS known_provenances,
    h.etag, h.last_modified, h.serial, h.variant, h.versions_hash AS checked_versions_hash,
    h.source, h.missing_since, h.missing_counts, coalesce(h.deferred, 0) AS deferred, h.absent_since,
    coalesce(h.missing, []) AS missing, coalesce(h.failures, 0) AS failures,
    h.stale_since, h.checked_at, f.last_published_at, c.newest,
    coalesce(c.admitted, false) AS admitted,
    CASE
        WHEN h.package IS NULL
            OR h.versions_hash <> md5(array_to_string(coalesce(c.versions, []), chr(10)))
            THEN 0
        WHEN a.package IS NOT NULL THEN 1
        ELSE 2
    END AS tier,
    h.package IS NULL OR h.due_at <= t
        -- New claims do not wait for due_at; 10 minutes keep a busy publisher from being asked in each run.
        OR (tier = 0 AND h.failures = 0 AND h.checked_at <= t - INTERVAL 10 MINUTE)
        OR (tier = 1 AND h.checked_at <= t - INTERVAL 1 DAY) AS due_now
FROM claimed c
LEFT JOIN known k USING (origin, package)
LEFT JOIN package_checks h USING (origin, package)
LEFT JOIN current_package_facts f USING (origin, package)
LEFT JOIN watched a USING (origin, package)
