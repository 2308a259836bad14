"""The grounding checks: what a summary says stands in its paper's title or abstract. Pure functions, no model.

A guard is a function from the summary's texts and their source to what it finds.
"""

from collections.abc import Callable, Iterable, Sequence

from bot.papers import Paper
from bot.summaries.checks.finding import LONGEST, Action, Finding, Source, Text, texts_of
from bot.summaries.checks.form import chatter, keys, length, link, markup, obedience, repetition
from bot.summaries.checks.language import language, script
from bot.summaries.checks.numbers import kept, number
from bot.summaries.checks.words import acronym, name, supported
from bot.summary import Summary

__all__ = ["GUARDS", "LONGEST", "Action", "Finding", "Guard", "check"]

Guard = Callable[[Sequence[Text], Source], Iterable[Finding]]

GUARDS: dict[str, Guard] = {
    "language": language,
    "length": length,
    "keys": keys,
    "markup": markup,
    "link": link,
    "chatter": chatter,
    "obedience": obedience,
    "repetition": repetition,
    "number": number,
    "support": supported,
    "name": name,
    "acronym": acronym,
    "kept": kept,
    "script": script,
}
"""By the name that their findings carry."""


def check(summary: Summary, paper: Paper) -> list[Finding]:
    """Everything that any guard has against a summary of this paper."""
    texts, source = list(texts_of(summary, paper)), Source.of(paper)
    return [finding for guard in GUARDS.values() for finding in guard(texts, source)]
