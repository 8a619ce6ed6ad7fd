INSERT INTO bindings SELECT name, upstream, min(first_seen) FROM entries GROUP BY name, upstream
