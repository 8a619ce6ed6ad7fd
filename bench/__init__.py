"""Benchmarks. Each one prints a table of times from one run, and the ratios that matter."""
