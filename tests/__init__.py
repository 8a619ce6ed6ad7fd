"""Tests mirror the rooms; others cover the line, orchestration, conformance and house rules."""
