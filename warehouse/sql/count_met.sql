-- What a walk met: entries that were read, and keys of records that could not be.
SELECT
    (SELECT count(*) FROM reading)
    + (
        SELECT count(DISTINCT (u.name, u.version))
        FROM incoming_unreadable u
        ANTI JOIN reading USING (name, version)
    ) AS count
