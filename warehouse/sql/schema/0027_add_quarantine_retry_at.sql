-- When it is asked for again; every reconcile meets it anyway.
ALTER TABLE quarantine ADD COLUMN retry_at TIMESTAMPTZ
