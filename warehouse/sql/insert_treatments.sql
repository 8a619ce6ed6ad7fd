INSERT INTO treatments SELECT * FROM batch_treatments
