-- What kind of version a reference claims, and by which rules it was read.
ALTER TABLE package_refs ADD COLUMN version_kind VARCHAR;
ALTER TABLE package_refs ADD COLUMN rules VARCHAR
