"""Stub servers: arXiv, Telegram and Discord as real HTTP on 127.0.0.1, strict where the real ones are strict.

They know nothing of `bot/`: limits, ids and parsing are stated here a second time, from the services' own documents.
"""
