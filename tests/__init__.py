"""Tests mirror the rooms; beside them the line, orchestration, conformance and house rules."""
