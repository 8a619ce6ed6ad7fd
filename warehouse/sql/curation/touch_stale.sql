-- These servers must be judged again, by every feed.
INSERT INTO touched SELECT DISTINCT 'name', name FROM batch_stale
