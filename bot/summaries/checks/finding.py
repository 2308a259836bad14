"""What a check is given and what it says: the Texts of a Summary, the Source they must keep to, Findings."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from bot.papers import Paper
from bot.summaries.embedded.sentences import split
from bot.summary import Summary

Action = Literal["reject", "retry", "warn"]
"""`reject`: a reader must not see this text; `retry`: ask once more, then let it pass with a remark; `warn`: remark."""

LONGEST = 6_000
"""Characters of an abstract that are read; arXiv's longest has under 3,000."""

# Who writes to models instead of readers. https://arxiv.org/abs/2302.12173 is about such texts.
_ORDER = re.compile(
    r"\b(?:ignor|disregard|forget|overrid|bypass)\w*\W+(?:\w+\W+){0,4}?"
    r"(?:previous|prior|above|preceding|earlier|foregoing|all|any|your|these|system)\W+(?:\w+\W+){0,3}?"
    r"(?:instruct|prompt|direct|guideline|rule|command|message)\w*"
    r"|\b(?:system|developer) ?(?:prompt|message) ?:|\bnew instructions? ?:|<\|\w+\|>|\[/?INST\]"
    r"|\b(?:to|for) (?:an? |the |any |all )?"
    r"(?:AI|LLM|(?:large )?language model)s?(?: reviewer| assistant| summari[sz]er)s? ?[:,]"
    r"|\byou (?:are now|must now|will now) (?:an?|the|act|in|going|ignor|answer|write|respond)"
    r"|\b(?:do not|don't) (?:summari[sz]e|translate) (?:this|the)\b"
    r"|\bgive an? positive review\b"
    r"|忽略[^。；]{0,8}(?:之前|以上|上述|前面|先前|所有)[^。；]{0,8}(?:指令|指示|提示|要求)",
    re.I,
)
_QUOTED = re.compile(r"[\"“'‘`「][^\"”'’`」]*$")


@dataclass(frozen=True, slots=True)
class Finding:
    """What a guard has against one text of a summary; `detail` tells the model, and an operator, what it is."""

    guard: str
    action: Action
    field: str
    detail: str

    @property
    def takeaway(self) -> int | None:
        """Which takeaway it is about, if one."""
        return int(self.field.split(".")[1]) if self.field.startswith("takeaways.") else None

    def __str__(self) -> str:
        return f"{self.guard}: {self.field}: {self.detail}"


@dataclass(frozen=True, slots=True)
class Text:
    """One text of a summary, and for a Chinese one (`zh`) the English that it says again."""

    field: str
    text: str
    language: Literal["en", "zh"] = "en"
    english: str = ""


def texts_of(summary: Summary, paper: Paper) -> Iterator[Text]:
    """Everything that somebody wrote; a Chinese text that is not there is passed over."""
    yield Text("tldr.en", summary.tldr)
    for index, takeaway in enumerate(summary.takeaways):
        yield Text(f"takeaways.{index}.en", takeaway.en)
        if takeaway.zh is not None:
            yield Text(f"takeaways.{index}.zh", takeaway.zh, "zh", takeaway.en)
    for field, chinese, english in (
        ("tldr.zh", summary.tldr_zh, summary.tldr),
        ("title_zh", summary.title_zh, paper.title),
        ("abstract_zh", summary.abstract_zh, paper.abstract),
    ):
        if chinese is not None:
            yield Text(field, chinese, "zh", english)


@dataclass(frozen=True, slots=True)
class Source:
    """What a summary may be made of: title and abstract, without what they say to models instead of readers.

    `orders` is that. `authors` may be named.
    """

    text: str
    orders: str
    authors: str

    @classmethod
    def of(cls, paper: Paper) -> "Source":
        kept, orders = [], []
        for index, sentence in enumerate(sentences := [paper.title, *split(paper.abstract[:LONGEST])]):
            order = _ORDER.search(sentence)
            if order is None:
                kept.append(sentence)
            elif _QUOTED.search(sentence[: order.start()]):
                orders.append(sentence)  # it speaks of such a text
            else:
                orders += sentences[index:]  # whoever gives orders goes on giving them
                break
        return cls("\n".join(kept), "\n".join(orders), ", ".join(paper.authors))


def is_order(text: str) -> bool:
    """Whether a text gives orders to whoever summarises, outside of quotation marks."""
    order = _ORDER.search(text)
    return order is not None and not _QUOTED.search(text[: order.start()])
