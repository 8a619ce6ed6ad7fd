SELECT count(*) AS count FROM walks WHERE walk_id = $walk_id
