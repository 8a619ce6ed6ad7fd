"""The order of things: steps, Dagster definitions, the command line.

A step is a plain function that returns a report. Dagster is imported by
`pipelines.orchestration` alone.
"""
