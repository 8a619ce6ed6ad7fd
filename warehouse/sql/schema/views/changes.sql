-- Every change since the beginning.
CREATE OR REPLACE VIEW changes AS FROM changes_since('-infinity')
