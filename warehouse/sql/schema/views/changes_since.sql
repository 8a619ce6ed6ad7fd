-- changes_since(T): what changed after T, one row per kind (`added`, `content_changed`, `status_changed`,
-- `latest_moved`, `vanished`, `restored`, `metadata_changed`), with the instant at which we saw it, and the hashes of
-- server.json and _meta before and after. Derived from history, so append-only too.
CREATE OR REPLACE MACRO changes_since(t) AS TABLE
WITH touched AS (
    SELECT DISTINCT upstream, name, version FROM history WHERE valid_from > t::TIMESTAMPTZ
),
states AS (
    SELECT
        *,
        lag(valid_from) OVER states AS before_from,
        lag(server_hash) OVER states AS server_hash_before,
        lag(meta_hash) OVER states AS meta_hash_before,
        lag(status) OVER states AS status_before,
        lag(status_message) OVER states AS status_message_before,
        lag(is_latest) OVER states AS was_latest,
        lag(vanished_at) OVER states AS vanished_before
    FROM history
    SEMI JOIN touched USING (upstream, name, version)
    WINDOW states AS (PARTITION BY upstream, name, version ORDER BY valid_from)
),
kinds AS (
    SELECT
        *,
        list_filter([
            CASE WHEN before_from IS NULL THEN 'added' END,
            CASE WHEN server_hash <> server_hash_before THEN 'content_changed' END,
            CASE
                WHEN status <> status_before
                    OR (
                        before_from IS NOT NULL
                        AND status_message IS DISTINCT FROM status_message_before
                    )
                    THEN 'status_changed'
            END,
            CASE WHEN is_latest <> was_latest THEN 'latest_moved' END,
            CASE
                WHEN vanished_at IS NOT NULL AND vanished_before IS NULL THEN 'vanished'
            END,
            CASE
                WHEN vanished_at IS NULL AND vanished_before IS NOT NULL THEN 'restored'
            END
        ], kind -> kind IS NOT NULL) AS kinds
    FROM states
    WHERE valid_from > t::TIMESTAMPTZ
)
SELECT
    valid_from AS changed_at, upstream, name, version,
    unnest(CASE WHEN len(kinds) = 0 THEN ['metadata_changed'] ELSE kinds END) AS kind,
    server_hash_before, server_hash AS server_hash_after,
    meta_hash_before, meta_hash AS meta_hash_after,
    status_before, status AS status_after, was_latest, is_latest, walk_id
FROM kinds
