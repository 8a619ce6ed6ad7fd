-- Every change since the beginning.
CREATE VIEW changes AS FROM changes_since('-infinity')
