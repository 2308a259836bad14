"""Paperwire: new arXiv papers, once a day, in your chat."""

__version__ = "0.2.0"
