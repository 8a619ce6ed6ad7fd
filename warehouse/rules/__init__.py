"""The language of rules. Pure: neither DuckDB nor sqlglot is loaded, so that `serve` may use it."""
