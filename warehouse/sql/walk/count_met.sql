-- What a walk met: entries that were read, and records that could not be read.
SELECT
    (SELECT count(*) FROM reading)
    + (
        SELECT count(DISTINCT u.raw_hash)
        FROM incoming_unreadable u
        ANTI JOIN reading USING (name, version)
    ) AS count
