"""Alerts: when a chat may be given at once what a subscription wants at once, and what that is.

An alert is a digest of its own. Its papers stand in the same ledger, so that they come neither in another alert nor in
the day's digest. All alerts of a local day have together as many papers as the chat's digest may have, and never more
than `MOST_A_DAY`; whatever is beyond that is left to the day's digest, which has its own room.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from bot.chats import Chat, Subscription, end_of_quiet, local_day
from bot.digests.choose import Choice, Wishes, select
from bot.digests.known import Known
from bot.digests.plans import Plan
from bot.storage import alerts, chats, digests

MOST_A_DAY = 30
"""Papers, also for a chat whose digest has all of them."""


def alert_due(chat: Chat, now: datetime) -> datetime | None:
    """When a chat may get what came now: at once, or at the end of its quiet hours.

    None where its digest is due by then, or that day is none of the chat's: then it comes with the next digest.
    """
    due = end_of_quiet(chat.preferences, now)
    is_day = local_day(chat.preferences, due).weekday() in chat.preferences.days
    is_first = chat.next_digest_at is None or chat.next_digest_at > due
    return due if is_day and is_first else None


async def plans(connection: AsyncConnection, chat_ids: Collection[int], now: datetime, known: Known) -> list[Plan]:
    """The alerts that are due for these chats; none for a chat that was given everything already."""
    waiting = await alerts.still_due(connection, chat_ids, now)
    follows = await chats.subscriptions_by_chat(connection, [chat.id for chat, _ in waiting])
    wishes = {
        chat.id: [_wish(each, first_seen, chat) for each in follows.get(chat.id, ()) if each.alerts_since is not None]
        for chat, first_seen in waiting
    }
    await known.read(connection, {wish for several in wishes.values() for wish in several})
    found = {paper_id for several in wishes.values() for wish in several for paper_id in known.offer(wish).papers}
    people = [chat for chat, _ in waiting]
    given = await digests.given(connection, [chat.id for chat in people], sorted(found))
    days = {chat.id: local_day(chat.preferences, now) for chat in people}
    shown = await alerts.shown_on(connection, days, now)
    made = (_plan(chat, wishes[chat.id], given.get(chat.id, ""), shown.get(chat.id, 0), known) for chat in people)
    return [plan for plan in made if plan.selection.choice.shown]


def in_quiet_hours(plans: Iterable[Plan], now: datetime) -> dict[int, datetime]:
    """The chats whose quiet hours began since their alert became due, and when these end."""
    ends = {plan.chat.id: end_of_quiet(plan.chat.preferences, now) for plan in plans if plan.occasion == "alert"}
    return {chat_id: end for chat_id, end in ends.items() if end > now}


def _wish(subscription: Subscription, first_seen: datetime, chat: Chat) -> Wishes:
    assert subscription.alerts_since is not None
    # Most subscriptions are older than what came: their wishes are alike then, and looked at once.
    since = max(subscription.since, subscription.alerts_since, first_seen)
    return Wishes(((subscription.interest, since),), since, None, chat.preferences.cross_lists)


def _plan(chat: Chat, wishes: Sequence[Wishes], given: str, shown: int, known: Known) -> Plan:
    had = frozenset(given.split())
    matching = [each for wish in wishes for each in known.offer(wish).matching if each.paper_id not in had]
    wanted = [category for wish in wishes for category in wish.categories]
    room = min(chat.preferences.cap or MOST_A_DAY, MOST_A_DAY) - shown
    # Nothing is held back: what has no room here is the next digest's.
    selection = select(len({each.paper_id for each in matching}), matching, wanted, max(room, 1))
    choice = Choice(selection.choice.shown if room > 0 else (), (), selection.choice.receipt)
    found_by = (wish for wish in wishes if not set(choice.shown).isdisjoint(known.offer(wish).papers))
    queries = tuple(str(interest) for wish in found_by for interest, _ in wish.interests)
    return Plan(chat, "alert", replace(selection, choice=choice), queries=queries)
