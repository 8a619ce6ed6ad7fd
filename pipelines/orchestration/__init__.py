"""Dagster: assets, jobs and schedules over the same functions. No step is implemented here."""
