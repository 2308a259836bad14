"""Choosing: from what was announced to what one digest shows and holds back."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.chats import Subscription
from bot.papers import PaperId
from bot.storage.digests import Candidate, Receipt


@dataclass(frozen=True, slots=True)
class Choice:
    """What a digest shows, in order, what it holds back, and its receipt."""

    shown: tuple[PaperId, ...]
    held: tuple[PaperId, ...]
    receipt: Receipt


def owed(candidates: Iterable[Candidate], subscriptions: Sequence[Subscription]) -> list[Candidate]:
    """What the chat was not given and a subscription wants: first seen, in a category it names, after it was made."""
    return [
        candidate
        for candidate in candidates
        if not candidate.had
        and any(
            candidate.category in subscription.interest.wanted
            and candidate.first_seen_at >= subscription.since
            and subscription.interest.matches(candidate.categories)
            for subscription in subscriptions
        )
    ]


def matching(candidates: Iterable[Candidate], subscriptions: Sequence[Subscription]) -> list[Candidate]:
    """What any subscription wants, whenever it was made; without subscriptions everything."""
    return [
        candidate
        for candidate in candidates
        if not subscriptions or any(each.interest.matches(candidate.categories) for each in subscriptions)
    ]


def choose(announced: int, matched: Iterable[Candidate], wanted: Iterable[str], cap: int) -> Choice:
    """Each paper once, those whose primary category is wanted first, then the cross-lists; at most `cap` (0: all)."""
    first = set(wanted)
    papers = {candidate.paper_id: candidate for candidate in matched}
    order = sorted(papers, key=lambda paper_id: (papers[paper_id].categories[0] not in first, _age(papers[paper_id])))
    cut = cap or len(order)
    shown, held = tuple(order[:cut]), tuple(order[cut:])
    return Choice(shown, held, Receipt(announced, len(order), len(shown), len(held)))


def _age(candidate: Candidate) -> tuple[datetime, str]:
    return candidate.first_seen_at, candidate.paper_id
