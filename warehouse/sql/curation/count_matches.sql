-- How many entries each rule matched, whether it decided or not; `ordinal` begins with 1.
SELECT ordinal, count(*) FILTER (substr(v.results, ordinal::BIGINT, 1) = 't') AS matches
FROM verdicts v, range(1, $rules + 1) r(ordinal)
WHERE v.feed = $feed
GROUP BY ordinal
ORDER BY ordinal
