"""Jobs: when things run."""
