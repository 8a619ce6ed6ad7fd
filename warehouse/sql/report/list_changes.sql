FROM changes_since($since)
ORDER BY changed_at, upstream, name, version, kind
