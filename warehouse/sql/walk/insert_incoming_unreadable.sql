INSERT INTO incoming_unreadable SELECT * FROM batch_unreadable
