DELETE FROM verdicts
WHERE feed = $feed AND (upstream, name, version) IN (SELECT (upstream, name, version) FROM changed_verdicts)
