-- entries_as_of(T): every entry as we knew it at T, with the columns of its server.json.
CREATE OR REPLACE MACRO entries_as_of(t) AS TABLE
SELECT h.* EXCLUDE (walk_id), c.* EXCLUDE (server_hash)
FROM (
    SELECT * FROM history
    WHERE valid_from <= t::TIMESTAMPTZ
    QUALIFY row_number() OVER (PARTITION BY upstream, name, version ORDER BY valid_from DESC) = 1
) h
LEFT JOIN contents c USING (server_hash)
