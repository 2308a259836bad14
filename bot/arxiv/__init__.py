"""arXiv, the source: one polite client, the announcement feeds, the API, the taxonomy."""
