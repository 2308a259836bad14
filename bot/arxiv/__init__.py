"""arXiv, the source: one polite client, the announcement feeds, the listings, the API, OAI-PMH."""
