DELETE FROM treatments WHERE feed = $feed AND name IN (FROM wanted_names)
