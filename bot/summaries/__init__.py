"""Summaries: the writers, and the checks that a written summary must pass."""
