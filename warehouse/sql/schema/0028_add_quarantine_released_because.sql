-- read: the same key was read well; replaced: by another unreadable record; gone: not upstream now.
ALTER TABLE quarantine ADD COLUMN released_because VARCHAR
