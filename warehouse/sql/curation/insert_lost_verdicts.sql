-- Servers with an entry that had a verdict before and has none now.
INSERT INTO lost_verdicts
SELECT DISTINCT $feed AS feed, name, $now AS lost_at
FROM verdicts v
ANTI JOIN next_verdicts d USING (upstream, name, version)
WHERE v.feed = $feed
