"""/subscribe, /unsubscribe, /subscriptions: what a chat follows."""

from bot.arxiv import taxonomy
from bot.cards.reply import Reply
from bot.commands.context import Context
from bot.interests import BadQuery, Interest, parse_interest
from bot.storage import chats

_MOST = 50
_QUOTED = 40


async def subscribe(context: Context) -> Reply:
    """Follow a query; the answer says when the first digest comes."""
    if not context.argument:
        return context.says("subscribe.how")
    try:
        interest = parse_interest(context.argument, taxonomy.categories())
    except BadQuery as error:
        return _mend(context, error)
    async with context.services.database.write() as connection:
        followed = await chats.subscriptions_of(connection, context.chat.id)
        if len(followed) >= _MOST:
            return context.says("subscribe.too_many", count=_MOST)
        fresh = await chats.subscribe(connection, context.chat, interest, context.now)
        chat = await chats.get(connection, context.chat.id)
    assert chat is not None
    assert chat.next_digest_at is not None
    context.services.scheduler.wake("poll")
    context.services.scheduler.wake("digest")
    names = [taxonomy.categories()[category] for category in interest.wanted]
    return context.says(
        "subscribe.done" if fresh else "subscribe.already",
        query=str(interest),
        names=", ".join(names),
        next=context.local(chat.next_digest_at),
    )


async def unsubscribe(context: Context) -> Reply:
    """Stop following a query, or show what could be stopped."""
    if not context.argument:
        return await subscriptions(context)
    try:
        interest = parse_interest(context.argument, taxonomy.categories())
    except BadQuery as error:
        return _mend(context, error)
    async with context.services.database.write() as connection:
        ended = await chats.unsubscribe(connection, context.chat, interest, context.now)
    return context.says("unsubscribe.done", query=str(interest)) if ended else await _not_followed(context, interest)


async def _not_followed(context: Context, interest: Interest) -> Reply:
    listed = await subscriptions(context)
    return Reply(f"{context.phrases('unsubscribe.none', query=str(interest))}\n\n{listed.text}")


async def subscriptions(context: Context) -> Reply:
    """What the chat follows, one a line."""
    async with context.services.database.read() as connection:
        followed = await chats.subscriptions_of(connection, context.chat.id)
    if not followed:
        return context.says("subscriptions.none")
    names = taxonomy.categories()
    lines = [
        f"• {each.interest} · {', '.join(names.get(category, category) for category in each.interest.wanted)}"
        for each in followed
    ]
    return Reply(
        "\n".join([*lines, "", context.phrases("subscriptions.how")]), title=context.phrases("subscriptions.title")
    )


def _mend(context: Context, error: BadQuery) -> Reply:
    """Where a query stops making sense, and what may have been meant there."""
    rest = error.text[error.position :].strip() or error.text
    wrong = rest.split()[0].split("+")[0].strip(",-") if rest.split() else rest
    near = taxonomy.nearest(wrong) or taxonomy.nearest(error.text)
    names = taxonomy.categories()
    if not near:
        return context.says("query.unknown", wrong=_short(wrong))
    suggestions = "\n".join(f"• {category} · {names[category]}" for category in near)
    return context.says("query.suggest", wrong=_short(wrong), suggestions=suggestions)


def _short(text: str) -> str:
    return text if len(text) <= _QUOTED else text[: _QUOTED - 1] + "…"
