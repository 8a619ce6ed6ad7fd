-- version_facts_as_of(T): the facts of every package version as we knew them at T.
CREATE OR REPLACE MACRO version_facts_as_of(t) AS TABLE
SELECT * FROM version_facts
WHERE observed_at <= t::TIMESTAMPTZ
QUALIFY row_number() OVER (PARTITION BY origin, package, version ORDER BY observed_at DESC) = 1
