SELECT
    count(*) AS versions,
    count(DISTINCT name) AS servers,
    count(*) FILTER (status = 'active' AND vanished_at IS NULL) AS active,
    count(*) FILTER (status = 'deprecated' AND vanished_at IS NULL) AS deprecated,
    count(*) FILTER (status = 'deleted' AND vanished_at IS NULL) AS deleted,
    count(*) FILTER (vanished_at IS NOT NULL) AS vanished,
    count(*) FILTER (missing_since IS NOT NULL AND vanished_at IS NULL) AS missing,
    (SELECT count(*) FROM quarantine WHERE released_at IS NULL) AS quarantined
FROM entries
SEMI JOIN current_bindings USING (name, upstream)
