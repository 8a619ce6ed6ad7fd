-- What earlier runs learnt of each origin's host: the share of its ceilings that it bears, consecutive
-- failures, until when and why it is let alone, and the requests of one UTC day.
CREATE TABLE hosts (
    origin VARCHAR NOT NULL,
    share DOUBLE NOT NULL,
    failures INTEGER NOT NULL,
    closed_until TIMESTAMPTZ,
    reason VARCHAR NOT NULL,
    day VARCHAR NOT NULL,
    requests INTEGER NOT NULL
)
