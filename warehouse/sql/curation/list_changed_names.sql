-- Servers that a feed may show differently than by the verdicts of an earlier curation.
SELECT DISTINCT name FROM verdicts WHERE feed = $feed AND changed_at > $since
UNION
SELECT DISTINCT name FROM lost_verdicts WHERE feed = $feed AND lost_at > $since
ORDER BY name
