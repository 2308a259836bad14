"""Paperwire: new arXiv papers, once a day, in your chat."""

__version__ = "0.1.0"
