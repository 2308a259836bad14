"""Paperwire: new arXiv papers, summarised in English and Chinese, once a day in your chat."""

__version__ = "0.1.0"
