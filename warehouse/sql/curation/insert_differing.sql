INSERT INTO {table} FROM next_{table} SEMI JOIN changed_{table} USING ({keys})
