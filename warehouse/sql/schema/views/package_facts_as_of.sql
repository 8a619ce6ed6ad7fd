-- package_facts_as_of(T): the facts of every package as we knew them at T.
CREATE OR REPLACE MACRO package_facts_as_of(t) AS TABLE
SELECT * FROM package_facts
WHERE observed_at <= t::TIMESTAMPTZ
QUALIFY row_number() OVER (PARTITION BY origin, package ORDER BY observed_at DESC) = 1
