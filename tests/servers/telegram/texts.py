"""Texts as the real server reads them: by TDLib, which runs here offline."""

import json
import re
from typing import Any

import tdjson

Json = dict[str, Any]

PARSE_MODES = {
    "html": {"@type": "textParseModeHTML"},
    "markdown": {"@type": "textParseModeMarkdown", "version": 1},
    "markdownv2": {"@type": "textParseModeMarkdown", "version": 2},
}
_ENTITY_NAMES = {
    "TextUrl": "text_link",
    "PreCode": "pre",
    "MentionName": "text_mention",
    "BlockQuote": "blockquote",
    "ExpandableBlockQuote": "expandable_blockquote",
    "EmailAddress": "email",
}


def found(text: str) -> list[Json]:
    """The entities that Telegram finds by itself in what people write."""
    return _entities(_td({"@type": "getTextEntities", "text": text})["entities"])


def parsed(text: str, mode: str) -> tuple[str, list[Json]]:
    """The text without its markup, and its entities. Raises ValueError in the server's words."""
    answer = _td({"@type": "parseTextEntities", "text": text, "parse_mode": PARSE_MODES[mode.lower()]})
    if answer["@type"] == "error":
        raise ValueError(answer["message"][0].lower() + answer["message"][1:])
    return answer["text"], _entities(answer["entities"])


def units(text: str) -> int:
    """Length in UTF-16 units."""
    return len(text.encode("utf-16-le")) // 2


def trimmed(text: str, entities: list[Json]) -> tuple[str, list[Json]]:
    """Without the white space around it, as Telegram shows it; entities move and shrink with it."""
    lead = len(text) - len(text.lstrip())
    plain = text.strip()
    end = units(plain)
    kept = []
    for one in entities:
        first, last = max(one["offset"] - lead, 0), min(one["offset"] + one["length"] - lead, end)
        if first < last:
            kept.append(one | {"offset": first, "length": last - first})
    return plain, kept


def _td(request: Json) -> Json:
    """TDLib's answer to a request that it can serve offline, in this thread (https://core.telegram.org/tdlib)."""
    answer = tdjson.td_execute(json.dumps(request).encode())
    assert answer is not None
    return dict(json.loads(answer))


_td({"@type": "setLogVerbosityLevel", "new_verbosity_level": 0})


def _entities(found: list[Json]) -> list[Json]:
    return [_entity(one["offset"], one["length"], one["type"]) for one in found]


def _entity(offset: int, length: int, kind: Json) -> Json:
    name = kind["@type"].removeprefix("textEntityType")
    snake = _ENTITY_NAMES.get(name) or re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
    entity = {"type": snake, "offset": offset, "length": length}
    if snake == "text_mention":
        return entity | {"user": {"id": kind["user_id"], "is_bot": False, "first_name": ""}}
    return entity | {key: kind[key] for key in ("url", "language", "custom_emoji_id") if key in kind}
