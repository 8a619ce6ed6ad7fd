-- Record a policy, unless the feed was curated by it before.
INSERT INTO policies
SELECT $feed, $policy_hash, $outline_hash, $outline, $now
WHERE $outline_hash NOT IN (SELECT outline_hash FROM policies WHERE feed = $feed)
