-- Servers with an entry that had a verdict before and has none now.
INSERT INTO lost_verdicts
SELECT DISTINCT $feed, name, $now FROM changed_verdicts WHERE is_lost
