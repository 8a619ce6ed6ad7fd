INSERT INTO verdict_changes
SELECT $feed, $at
WHERE EXISTS (FROM verdicts WHERE feed = $feed AND changed_at = $at)
    OR EXISTS (FROM lost_verdicts WHERE feed = $feed AND lost_at = $at)
