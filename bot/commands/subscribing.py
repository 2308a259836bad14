"""/subscribe, /unsubscribe, /subscriptions: what a chat follows."""

from bot.cards.reply import Button, Reply
from bot.chats import MOST_SUBSCRIPTIONS, Subscription
from bot.commands.context import Context
from bot.commands.previewing import look_back
from bot.commands.queries import expected, meaning, mend, named, where
from bot.interests import BadQuery, Interest, parse_interest
from bot.storage import chats

_BELLS = 20
"""Subscriptions that have one; those beyond are named: `/alert 21`."""


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
        followed = await chats.subscriptions_of(connection, context.chat.id)
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
    own = next(each for each in followed if each.interest == interest)
    if own.alerts_since is not None:
        return Reply("\n".join([*lines, phrases("subscribe.alerts")]))
    return Reply("\n".join(lines), buttons=(Button(phrases("button.alert_on"), f"alert:on {own.id}"),))


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
    """What the chat follows, one a line; a bell for each, which has its papers come at once, or no longer."""
    async with context.services.database.read() as connection:
        followed = await chats.subscriptions_of(connection, context.chat.id)
    if not followed:
        return context.says("subscriptions.none")
    phrases = context.phrases
    lines = []
    for number, each in enumerate(followed, start=1):
        at_once = phrases("subscriptions.at_once") if each.alerts_since is not None else ""
        said = filter(None, [str(each.interest), meaning(each.interest, phrases), at_once])
        lines.append(f"{number}. {' · '.join(said)}")
    return Reply(
        "\n".join([*lines, "", phrases("subscriptions.how"), phrases("subscriptions.alerts")]),
        title=phrases("subscriptions.title"),
        buttons=tuple(_bell(number, each) for number, each in enumerate(followed[:_BELLS], start=1)),
    )


def _bell(number: int, each: Subscription) -> Button:
    if each.alerts_since is None:
        return Button(f"🔔 {number}", f"alert:on {each.id} list")
    return Button(f"🔕 {number}", f"alert:off {each.id} list")
