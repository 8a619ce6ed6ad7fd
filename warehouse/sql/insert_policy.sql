-- Note a policy, unless it is the one that the feed was curated by last.
INSERT INTO policies
SELECT $feed, $policy_hash, $outline, $now
WHERE [$policy_hash, $outline] IS DISTINCT FROM (
    SELECT [arg_max(policy_hash, since), arg_max(outline, since)] FROM policies WHERE feed = $feed
)
