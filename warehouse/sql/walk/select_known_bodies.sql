-- Bodies of this batch that are there already, and so are the columns and parts derived from them:
-- they were committed together. One scan serves all the inserts.
CREATE OR REPLACE TEMP TABLE known_bodies AS
SELECT hash FROM bodies
SEMI JOIN batch_bodies USING (hash)
