-- Append-only: every entry that an edition of a feed has shown, so that a feed made anew can say what is gone.
CREATE TABLE served (
    feed VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    version VARCHAR NOT NULL,
    edition VARCHAR NOT NULL
)
