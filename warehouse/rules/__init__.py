"""The language of rules. Pure: imports neither DuckDB nor sqlglot, so that `serve` may use it."""
