DELETE FROM package_columns
