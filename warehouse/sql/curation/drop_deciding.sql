DROP TABLE IF EXISTS temp.deciding
