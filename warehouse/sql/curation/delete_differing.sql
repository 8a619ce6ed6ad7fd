DELETE FROM {table} WHERE ({keys}) IN (SELECT ({keys}) FROM changed_{table})
