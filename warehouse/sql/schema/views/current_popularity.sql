-- The newest count of every package, and its rank among the packages of the same source (1 is the most).
CREATE OR REPLACE VIEW current_popularity AS
SELECT *, percent_rank() OVER (PARTITION BY source ORDER BY downloads) AS rank
FROM (
    SELECT * FROM popularity
    QUALIFY row_number() OVER (PARTITION BY origin, package ORDER BY observed_at DESC) = 1
)
