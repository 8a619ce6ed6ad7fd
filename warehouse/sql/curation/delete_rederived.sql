-- What every feed has judged.
DELETE FROM rederived
WHERE derivation <= (SELECT coalesce(min(derivation) FILTER (derivation >= 0), $number) FROM curations)
