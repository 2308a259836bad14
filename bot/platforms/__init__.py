"""Platforms: the chat services, one folder each. They do not know each other."""
