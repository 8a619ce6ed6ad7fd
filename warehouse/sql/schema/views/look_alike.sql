-- look_alike(TEXT): its letters as a hasty reader sees them: 0 and o, 1, l and i, rn and m are one.
CREATE OR REPLACE MACRO look_alike(text) AS replace(replace(translate(lower(text), '01i5-_', 'olls'), 'rn', 'm'), 'vv', 'w')
