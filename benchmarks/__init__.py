"""Measurements: one module a question, each run as `python -m benchmarks.NAME`."""
