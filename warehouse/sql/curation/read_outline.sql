SELECT outline FROM policies WHERE feed = $feed AND outline_hash = $outline_hash
