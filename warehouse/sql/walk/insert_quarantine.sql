INSERT INTO quarantine
SELECT $upstream, i.raw_hash, any_value(i.name), any_value(i.version), any_value(i.reason),
    any_value(i.raw), $now, $now, NULL, 0, $now + INTERVAL 1 HOUR, NULL
FROM incoming_unreadable i
ANTI JOIN (SELECT raw_hash FROM quarantine WHERE upstream = $upstream) q USING (raw_hash)
GROUP BY i.raw_hash
