INSERT INTO popularity BY NAME SELECT * FROM batch_popularity
