INSERT INTO package_prints
SELECT upstream, name, version, bit_xor(hash(p)) AS print
FROM served_packages p
GROUP BY upstream, name, version
