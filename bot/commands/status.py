"""/status: what was read of arXiv and when, what the chat got last and gets next."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bot.announcements import Announcement, announcement_day, day_of, midnight_of, next_announcement_day
from bot.arxiv.schedule import is_holiday
from bot.cards.reply import Reply
from bot.chats import UNTIL_RESUMED, Chat, languages
from bot.commands.context import Context, Services, local_time, spoken
from bot.commands.request import Sender
from bot.digests.choose import OVERLAP
from bot.locales import Phrases, phrases_of
from bot.storage import alerts, announcements, chats, digests, feeds, marks, outbox, spending, votes
from bot.storage.feeds import Feed
from bot.storage.spending import Spent

LOOK_BACK = timedelta(days=30)
"""Of announcements that `/status` speaks of."""
_MOST_REASONS = 3
_NAMES = "\0"
"""Stands for the categories in a sentence until it is known of which ones the same is to be said."""


async def status(context: Context) -> Reply:
    """How things stand, a fact a line."""
    services, chat, phrases = context.services, context.chat, context.phrases
    async with services.database.read() as connection:
        followed = await chats.subscriptions_of(connection, chat.id)
        interests = [each.interest for each in followed]
        wanted = await chats.looked_at(connection, interests, services.settings.arxiv.default_categories)
        known = await feeds.get(connection, wanted)
        told = await announcements.get(connection, wanted, day_of(context.now) - LOOK_BACK)
        last = await digests.last(connection, chat.id)
        last_alert = await alerts.last_at(connection, chat.id)
        refused = await outbox.refused(connection, chat.id)
        held = await marks.is_held(connection)
    lines = [phrases("status.held")] if held else []
    lines += _lines(context, known, told) or [phrases("status.not_asked")]
    if last is not None:
        receipt = last.receipt
        lines.append(
            phrases(
                "status.last",
                at=context.local(last.composed_at),
                matched=receipt.matched,
                shown=receipt.shown,
                held=receipt.held,
            )
        )
    if at_once := sum(each.alerts_since is not None for each in followed):
        when = phrases("status.last_alert", at=context.local(last_alert)) if last_alert else ""
        lines.append(phrases("status.alerts", count=at_once) + when)
    if refused:
        lines.append(phrases("status.refused", count=refused))
    if context.is_operator and services.settings.llm.model:
        lines.append(await _spent(context))
    if context.is_operator:
        lines += await _opinions(context)
    if chat.is_paused(context.now):
        lines.append(paused(context))
    if chat.next_digest_at is not None:
        lines.append(phrases("status.next", at=context.local(chat.next_digest_at)))
    else:
        lines.append(phrases("status.follows_nothing"))
    return Reply("\n".join(lines), title=phrases("status.title"))


def paused(context: Context) -> str:
    """Until when nothing comes unasked."""
    until = context.chat.paused_until
    assert until is not None
    if until >= UNTIL_RESUMED:
        return context.phrases("pause.on")
    return context.phrases("pause.until", at=context.local(until))


async def _spent(context: Context) -> str:
    """What the model was asked today (UTC), and what that costs where its prices are set."""
    llm = context.services.settings.llm
    async with context.services.database.read() as connection:
        by_model = await spending.spent_on(connection, context.now.date())
    spent = by_model.get(llm.model, Spent())
    cost = spent.cost(llm.price_in, llm.price_out)
    values = {"model": llm.model, "requests": spent.requests, "tokens": f"{spent.tokens:,}"}
    if cost is None:
        return context.phrases("status.model", **values)
    return context.phrases("status.model_cost", **values, cost=f"{cost:.2f}")


async def _opinions(context: Context) -> list[str]:
    """What people think of the summaries, by who wrote them; nothing before the first vote."""
    async with context.services.database.read() as connection:
        found = await votes.opinions(connection)
    said = (
        f"{each.model or context.phrases(f'engine.{each.engine}')} 👍 {each.liked} 👎 {each.disliked}" for each in found
    )
    return [context.phrases("status.votes", opinions=" · ".join(said))] if found else []


def _lines(context: Context, known: Sequence[Feed], told: Mapping[str, Sequence[Announcement]]) -> list[str]:
    """The list that each category has or waits for, and why; and what no source could tell."""
    said: list[tuple[str, str]] = []
    for feed in known:
        days = told[feed.category]
        last = next((each for each in reversed(days) if each.size), None)
        said.append(
            (_sentence(context, replace(feed, category=_NAMES), days[-1] if days else None, last), feed.category)
        )
        if untold := [context.phrases.day(each.day) for each in days if each.reason == "untold"]:
            said.append((context.phrases("status.untold", category=_NAMES, days=", ".join(untold)), feed.category))
    return _once(said)


def _once(said: Iterable[tuple[str, str]]) -> list[str]:
    """Sentences about `_NAMES`, each with all the categories of which it is to be said."""
    alike: dict[str, list[str]] = {}
    for sentence, category in said:
        alike.setdefault(sentence, []).append(category)
    return [sentence.replace(_NAMES, ", ".join(names)) for sentence, names in alike.items()]


async def silence(context: Context, categories: Collection[str]) -> str:
    """Why there is nothing new in these categories: the first few reasons, of those that wait for their list."""
    async with context.services.database.read() as connection:
        known = await feeds.get(connection, categories)
        told = await announcements.get(connection, categories, day_of(context.now) - LOOK_BACK)
    newest = [(feed, told[feed.category][-1]) for feed in known if told[feed.category]]
    said = [
        (_awaited(context, replace(feed, category=_NAMES), day), feed.category)
        for feed, day in newest
        if not _is_there(context, feed, day)
    ]
    return "\n".join(_once(said)[:_MOST_REASONS])


async def why_quiet(services: Services, chat: Chat, announced: int, now: datetime) -> str:
    """Why a chat's digest has nothing, in each of its languages: what its lists wait for, or that nothing matched."""
    async with services.database.read() as connection:
        interests = [each.interest for each in await chats.subscriptions_of(connection, chat.id)]
        wanted = await chats.looked_at(connection, interests, services.settings.arxiv.default_categories)
        last = (await digests.last_dailies(connection, [chat.id])).get(chat.id, now - OVERLAP)
        alerted = await alerts.shown_since(connection, chat.id, last)
    said = []
    for language in languages(chat.preferences.language):
        one = replace(chat, preferences=replace(chat.preferences, language=language))
        context = Context(services, one, Sender("", ""), is_operator=False, argument="", now=now)
        if alerted:
            said.append(context.phrases("quiet.alerted", count=alerted))
        elif announced:
            said.append(context.phrases("quiet.no_match", count=announced))
        else:
            said.append(await silence(context, wanted) or context.phrases("quiet.nothing"))
    return "\n".join(said)


def _is_there(context: Context, feed: Feed, newest: Announcement) -> bool:
    return newest.size > 0 and feed.error is None and not _is_weekend(context.now)


def _sentence(context: Context, feed: Feed, newest: Announcement | None, last: Announcement | None) -> str:
    phrases, category = context.phrases, feed.category
    if newest is not None and newest == last and _is_there(context, feed, newest):
        key = "status.late" if last.state == "late" else "status.here"
        return phrases(key, category=category, count=last.size, day=phrases.day(last.day))
    if feed.error is None and feed.read_at is None:
        return phrases("status.unread", category=category)
    before = phrases("status.before", count=last.size, day=phrases.day(last.day)) if last else ""
    return _awaited(context, feed, newest) + before


def _awaited(context: Context, feed: Feed, newest: Announcement | None) -> str:
    """What a category waits for: a holiday, a stale feed, a list that is only late, and a broken source differ."""
    phrases, category, today = context.phrases, feed.category, day_of(context.now)
    if feed.error is not None and feed.failing_since is not None:
        return phrases(
            "status.broken",
            category=category,
            since=context.local(feed.failing_since),
            reason=phrases(f"arxiv.{feed.error}"),
            next=context.local(feed.next_poll_at),
        )
    due = phrases.day(next_announcement_day(today))
    if newest is not None and newest.is_awaited and not is_holiday(newest.day):
        return phrases(
            "status.stale" if newest.state == "stale" else "status.expected",
            category=category,
            day=phrases.day(newest.day),
            since=context.local(midnight_of(newest.day)),
            next=context.local(feed.next_poll_at),
        )
    if _is_weekend(context.now):
        return phrases("status.weekend", category=category, due=due)
    if newest is not None and newest.day == today:
        key = "status.holiday" if is_holiday(today) else "status.quiet"
        return phrases(key, category=category, day=phrases.day(today), due=due)
    return phrases("status.not_yet", category=category, due=phrases.day(today))


def _is_weekend(now: datetime) -> bool:
    return announcement_day(day_of(now)) != day_of(now)


async def arxiv_line(context: Context, categories: Collection[str]) -> str:
    """One calm line where one of these categories cannot be read; nothing where all can."""
    trouble = await _trouble(context.services, categories)
    return _trouble_line(trouble, context.phrases, context.local(trouble.next_poll_at)) if trouble else ""


async def web_status(services: Services, chat: Chat) -> str:
    """The same for the status line of a thread's page, which also says when all is well."""
    phrases, now = phrases_of(spoken(chat.preferences.language, None)), services.clock.now()
    async with services.database.read() as connection:
        if await marks.is_held(connection):
            return phrases("status.held")
    watched = await _watched(services)
    if trouble := await _trouble(services, watched):
        return _trouble_line(trouble, phrases, local_time(chat, trouble.next_poll_at, now, phrases))
    async with services.database.read() as connection:
        known = await feeds.get(connection, watched)
    read = [feed.read_at for feed in known if feed.read_at is not None]
    if not read:
        return phrases("status.page_waiting")
    return phrases("status.page_read", at=local_time(chat, max(read), now, phrases))


async def _trouble(services: Services, categories: Collection[str]) -> Feed | None:
    async with services.database.read() as connection:
        known = await feeds.get(connection, categories)
    failing = [feed for feed in known if feed.error is not None]
    return min(failing, key=lambda feed: feed.next_poll_at) if failing else None


async def _watched(services: Services) -> set[str]:
    async with services.database.read() as connection:
        return await chats.followed_categories(connection) | set(services.settings.arxiv.default_categories)


def _trouble_line(feed: Feed, phrases: Phrases, next_try: str) -> str:
    return phrases("status.trouble", reason=phrases(f"arxiv.{feed.error}"), next=next_try)
