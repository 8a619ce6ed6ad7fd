-- Bodies of this batch that are stored already, and so are the columns and parts derived from them, since they were
-- committed together. One scan serves all the inserts.
CREATE OR REPLACE TEMP TABLE known_bodies AS
SELECT hash FROM bodies
SEMI JOIN batch_bodies USING (hash)
