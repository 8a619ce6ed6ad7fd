INSERT INTO curations BY NAME
SELECT
    $feed AS feed, $now AS decided_at, $policy_hash AS policy_hash, $outline_hash AS outline_hash,
    $statement_hash AS statement_hash,
    $derivation AS derivation, $blocks AS blocks, $counts AS counts
