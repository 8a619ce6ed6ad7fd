-- Contents that no entry has are left out.
INSERT INTO next_advisory_columns
FROM advisory_columns_now SEMI JOIN entries USING (server_hash)
