DELETE FROM state WHERE upstream = $upstream
