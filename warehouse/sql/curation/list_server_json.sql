SELECT e.name, e.version, b.body
FROM entries e
JOIN wanted USING (name, version)
JOIN current_bindings USING (name, upstream)
JOIN bodies b ON b.hash = e.server_hash
ORDER BY e.name, e.version
