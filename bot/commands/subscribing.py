"""/subscribe, /unsubscribe, /subscriptions: what a chat follows."""

from bot.cards.reply import Reply
from bot.chats import MOST_SUBSCRIPTIONS
from bot.commands.context import Context
from bot.commands.previewing import look_back
from bot.commands.queries import expected, meaning, mend, named, where
from bot.interests import BadQuery, Interest, parse_interest
from bot.storage import chats


async def subscribe(context: Context) -> Reply:
    """Follow a query; the answer says what it means, how much it is going to bring, and when first."""
    services, phrases = context.services, context.phrases
    try:
        interest = parse_interest(context.argument)
    except BadQuery as error:
        return mend(context, error)
    async with services.database.write() as connection:
        followed = await chats.subscriptions_of(connection, context.chat.id)
        if len(followed) >= MOST_SUBSCRIPTIONS:
            return context.says("subscribe.too_many", count=MOST_SUBSCRIPTIONS)
        fresh = await chats.subscribe(connection, context.chat, interest, context.now)
        chat = await chats.get(connection, context.chat.id)
        categories = await chats.looked_at(connection, [interest], services.settings.arxiv.default_categories)
    assert chat is not None
    assert chat.next_digest_at is not None
    services.scheduler.wake("poll")
    services.scheduler.wake("digest")
    recently = await look_back(context, interest, categories)
    lines = [
        phrases("subscribe.done" if fresh else "subscribe.already", query=named(interest, phrases)),
        *where(context, interest, categories),
        *expected(recently.a_day, phrases),
        phrases("subscribe.next", next=context.local(chat.next_digest_at)),
    ]
    return Reply("\n".join(lines))


async def unsubscribe(context: Context) -> Reply:
    """Stop following a query, or show what could be stopped."""
    if not context.argument:
        return await subscriptions(context)
    try:
        interest = parse_interest(context.argument)
    except BadQuery as error:
        return mend(context, error)
    async with context.services.database.write() as connection:
        ended = await chats.unsubscribe(connection, context.chat, interest, context.now)
    return context.says("unsubscribe.done", query=interest) if ended else await _not_followed(context, interest)


async def _not_followed(context: Context, interest: Interest) -> Reply:
    listed = await subscriptions(context)
    return Reply(f"{context.phrases('unsubscribe.none', query=interest)}\n\n{listed.text}")


async def subscriptions(context: Context) -> Reply:
    """What the chat follows, one a line."""
    async with context.services.database.read() as connection:
        followed = await chats.subscriptions_of(connection, context.chat.id)
    if not followed:
        return context.says("subscriptions.none")
    lines = []
    for each in followed:
        names = meaning(each.interest, context.phrases)
        lines.append(f"• {each.interest} · {names}" if names else f"• {each.interest}")
    return Reply(
        "\n".join([*lines, "", context.phrases("subscriptions.how")]), title=context.phrases("subscriptions.title")
    )
