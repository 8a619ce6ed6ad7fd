-- How often a record was asked for again by its detail route.
ALTER TABLE quarantine ADD COLUMN attempts INTEGER DEFAULT 0
