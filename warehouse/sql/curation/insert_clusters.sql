INSERT INTO clusters FROM clusters_now
