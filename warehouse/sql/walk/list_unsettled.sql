SELECT name FROM unsettled_names WHERE upstream = $upstream ORDER BY name
