"""DuckDB: schema, SQL, history, predicates. duckdb and sqlglot are used here and nowhere else.

Put code here when it reads or writes the warehouse. Keep HTTP, clocks and policy out: instants and
expressions come in as arguments.
"""
