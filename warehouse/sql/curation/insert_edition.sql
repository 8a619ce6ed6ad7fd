INSERT INTO editions
SELECT
    $feed, $edition, $sequence, $published_at, $entries, $tombstones, $withheld, $changed,
    $content_hash, $policy_hash
