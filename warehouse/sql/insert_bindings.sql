-- Names that belong to nobody yet belong to the upstream that brings them.
INSERT INTO bindings
SELECT DISTINCT c.name, $upstream, $now
FROM changed c
ANTI JOIN (
    SELECT name
    FROM (
        SELECT * FROM bindings
        SEMI JOIN changed USING (name)
        QUALIFY row_number() OVER (PARTITION BY name ORDER BY bound_at DESC) = 1
    )
    WHERE upstream IS NOT NULL
) b USING (name)
