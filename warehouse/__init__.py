"""DuckDB: schema, SQL, history, predicates. Only this package imports duckdb and sqlglot.

Code that reads or writes the warehouse belongs here. HTTP, clocks and policy do not: instants and
expressions come in as arguments.
"""
