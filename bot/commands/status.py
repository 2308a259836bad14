"""/status: what was read of arXiv and when, what the chat got last and gets next."""

from collections.abc import Collection

from bot.cards.reply import Reply
from bot.chats import Chat, wanted_categories
from bot.commands.context import Context, Services, local_time, spoken
from bot.locales import Phrases, phrases_of
from bot.storage import chats, digests, feeds, marks, outbox
from bot.storage.feeds import Feed


async def status(context: Context) -> Reply:
    """How things stand, a fact a line."""
    services, chat, phrases = context.services, context.chat, context.phrases
    async with services.database.read() as connection:
        followed = await chats.subscriptions_of(connection, chat.id)
        wanted = wanted_categories(followed) or services.settings.arxiv.default_categories
        known = await feeds.get(connection, wanted)
        last = await digests.last(connection, chat.id)
        refused = await outbox.refused(connection, chat.id)
        held = await marks.is_held(connection)
    lines = [phrases("status.held")] if held else []
    lines += [_feed_line(context, feed) for feed in known] or [phrases("status.not_asked")]
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
    if refused:
        lines.append(phrases("status.refused", count=refused))
    if chat.next_digest_at is not None:
        lines.append(phrases("status.next", at=context.local(chat.next_digest_at)))
    else:
        lines.append(phrases("status.follows_nothing"))
    return Reply("\n".join(lines), title=phrases("status.title"))


def _feed_line(context: Context, feed: Feed) -> str:
    phrases = context.phrases
    if feed.error is not None and feed.failing_since is not None:
        return phrases(
            "status.feed_failing",
            category=feed.category,
            since=context.local(feed.failing_since),
            reason=phrases(f"arxiv.{feed.error}"),
            next=context.local(feed.next_poll_at),
        )
    if feed.read_at is None or feed.built_at is None:
        return phrases("status.feed_unread", category=feed.category)
    if not feed.entries:
        return phrases("status.feed_empty", category=feed.category, read=context.local(feed.read_at))
    return phrases(
        "status.feed_read",
        category=feed.category,
        read=context.local(feed.read_at),
        count=feed.entries,
        new=context.local(feed.new_at or feed.built_at),
    )


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
