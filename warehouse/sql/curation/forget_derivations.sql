-- Feeds that must judge everything again: all of them, or those that fell far behind (their documents may be gone).
UPDATE curations SET derivation = -1 WHERE $everything OR derivation < $number - 1000
