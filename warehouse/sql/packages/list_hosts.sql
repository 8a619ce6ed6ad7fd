SELECT * FROM hosts
