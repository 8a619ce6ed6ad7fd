UPDATE state SET committed_at = $now WHERE upstream = $upstream
