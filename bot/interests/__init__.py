"""Interests: the query language that people say what they want in, ready-made topics, and matching."""

from bot.interests.match import Document, Matches
from bot.interests.parse import BadQuery, parse_interest, stored_interest
from bot.interests.terms import Interest
from bot.interests.topics import Topic, find_topic, topics

__all__ = [
    "BadQuery",
    "Document",
    "Interest",
    "Matches",
    "Topic",
    "find_topic",
    "parse_interest",
    "stored_interest",
    "topics",
]
