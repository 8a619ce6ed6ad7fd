INSERT INTO hosts BY NAME SELECT * FROM batch_hosts
