"""Benchmarks: each prints a table of times in one run, and the ratios that matter."""
