"""Topics: ready-made interests with a name in both languages, asked for as `#name`."""

import json
import re
import unicodedata
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Topic:
    """A ready-made interest: `slug` is its name in queries, `query` what it stands for."""

    slug: str
    en: str
    zh: str
    query: str


@cache
def topics() -> dict[str, Topic]:
    """Every topic by its slug, in the order in which they are shown."""
    rows = json.loads(Path(__file__).with_name("topics.json").read_text("utf-8"))
    return {row["slug"]: Topic(**row) for row in rows}


def find_topic(name: str) -> Topic | None:
    """The topic that is called so, by its slug or by its name in either language."""
    return _names().get(_plain(name))


def nearest_topics(name: str, at_most: int = 3) -> list[Topic]:
    """The topics that somebody who wrote this may have meant."""
    names, wanted = _names(), _plain(name)
    inside = [topic for known, topic in names.items() if len(wanted) > 1 and (wanted in known or known in wanted)]
    close = [names[match] for match in get_close_matches(wanted, names, 2 * at_most, cutoff=0.6)]
    return list(dict.fromkeys([*inside, *close]))[:at_most]


@cache
def _names() -> dict[str, Topic]:
    return {_plain(name): topic for topic in topics().values() for name in (topic.slug, topic.en, topic.zh)}


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", unicodedata.normalize("NFKC", name).casefold())
