INSERT INTO incoming SELECT * FROM batch_readings
