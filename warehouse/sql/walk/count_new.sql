SELECT count(*) AS count FROM changed WHERE is_new
