DELETE FROM package_prints
