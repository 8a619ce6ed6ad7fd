DELETE FROM served_packages
