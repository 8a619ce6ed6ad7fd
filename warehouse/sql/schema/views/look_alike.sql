-- look_alike(TEXT): the text as a hasty reader sees it: 0 and o, 1, l and i, 5 and s, rn and m, vv and w become
-- equal; hyphens and underscores disappear.
CREATE OR REPLACE MACRO look_alike(text) AS replace(replace(translate(lower(text), '01i5-_', 'olls'), 'rn', 'm'), 'vv', 'w')
