INSERT INTO touched SELECT DISTINCT 'package', origin || ':' || package FROM batch_changed
