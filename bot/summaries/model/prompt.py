"""The prompt: what a model is told of a paper, and of what was wrong with its reply. A new text is a new version."""

import re
from functools import cache
from pathlib import Path

from bot.papers import Paper
from bot.storage.rejections import LONGEST_REPLY
from bot.summaries.checks import LONGEST

VERSION = "1"
Message = dict[str, str]

_PROMPT = Path(__file__).parent / f"prompt_v{VERSION}.md"
_TAG = re.compile(r"<(?=\s*/?\s*(?:title|abstract))", re.I)


def asked(paper: Paper) -> list[Message]:
    """What a model is told of a paper. Title and abstract cannot end the tags that they stand between."""
    title, abstract = (_TAG.sub("‹", text) for text in (paper.title, paper.abstract))
    source = f"<title>{title[:LONGEST]}</title>\n<abstract>{abstract[:LONGEST]}</abstract>"
    return [{"role": "system", "content": _instructions()}, {"role": "user", "content": source}]


@cache
def _instructions() -> str:
    return _PROMPT.read_text("utf-8").strip()


def again(reply: str, complaint: str) -> list[Message]:
    """What it is told of its reply."""
    return [
        {"role": "assistant", "content": reply[:LONGEST_REPLY]},
        {"role": "user", "content": f"This is not usable:\n{complaint}\nWrite the whole JSON object again, corrected."},
    ]
