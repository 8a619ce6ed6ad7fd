DELETE FROM hosts WHERE origin IN (SELECT origin FROM batch_hosts)
