FROM changes_since($since)
ORDER BY at, upstream, name, version, kind
