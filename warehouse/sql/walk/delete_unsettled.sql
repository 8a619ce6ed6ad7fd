DELETE FROM unsettled_names WHERE upstream = $upstream
