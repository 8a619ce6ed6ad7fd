SELECT name, version FROM verdicts WHERE feed = $feed AND verdict = 'hold' ORDER BY name, version
