"""Digests: who is due, what matches, in which order, how much of it, and the receipt."""
