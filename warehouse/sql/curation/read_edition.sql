SELECT * FROM editions WHERE feed = $feed AND edition = $edition
