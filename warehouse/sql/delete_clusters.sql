DELETE FROM clusters
