SELECT name FROM wanted_names ORDER BY name
