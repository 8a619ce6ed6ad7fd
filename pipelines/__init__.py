"""The order of the work: steps, Dagster definitions, the command line.

A step is a plain function that returns a report. Only `pipelines.orchestration` imports Dagster.
"""
