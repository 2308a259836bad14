"""/subscribe, /unsubscribe, /subscriptions: what a chat follows."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from bot.cards.reply import Button, Reply
from bot.chats import Subscription
from bot.commands.context import Context
from bot.commands.previewing import look_back
from bot.commands.queries import expected, meaning, mend, named, where
from bot.commands.request import number_in
from bot.interests import BadQuery, parse_interest
from bot.storage import chats, ended

TIME_TO_UNDO = timedelta(days=1)
"""For so long what was ended can be taken up again as it was."""
_WITH_BUTTONS = 10
"""Subscriptions of a list that have buttons; the others are spoken of by their numbers."""
_NUMBER = re.compile(r"[#№]?\s*(\d{1,3})\s*[.)．）]?")


async def subscribe(context: Context) -> Reply:
    """Follow a query; the answer says what it means, how much it is going to bring, and when first."""
    services, phrases = context.services, context.phrases
    try:
        interest = parse_interest(context.argument)
    except BadQuery as error:
        return mend(context, error)
    async with services.database.write() as connection:
        followed = await chats.subscriptions_of(connection, context.chat.id)
        if interest not in (each.interest for each in followed) and (full := too_many(context, len(followed) + 1)):
            return full
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


def too_many(context: Context, count: int) -> Reply | None:
    """What is said where a chat would follow so many queries and may not: by whose rule, and what to do."""
    quota = context.chat.quota
    if count <= quota.most_subscriptions:
        return None
    key = "subscribe.too_many" if quota.subscriptions is None else "quota.subscriptions"
    return context.says(key, count=quota.most_subscriptions)


async def unsubscribe(context: Context) -> Reply:
    """Stop following a query, or what has a number in the list; or show what could be stopped."""
    if not context.argument:
        return await subscriptions(context)
    if number := _NUMBER.fullmatch(context.argument):
        return await _unsubscribe_number(context, int(number[1]))
    try:
        interest = parse_interest(context.argument)
    except BadQuery as error:
        return mend(context, error)
    async with context.services.database.read() as connection:
        followed = await chats.subscriptions_of(connection, context.chat.id)
    for each in followed:
        if str(each.interest) == str(interest) and (reply := await _ended(context, each.id)):
            return reply
    return await _listed_with(context, context.phrases("unsubscribe.none", query=interest))


async def _unsubscribe_number(context: Context, position: int) -> Reply:
    """End what stood there in the list that this person saw last: another one may have moved up since."""
    async with context.services.database.read() as connection:
        current = [each.id for each in await chats.subscriptions_of(connection, context.chat.id)]
        seen = context.services.listed.last(context.chat, context.sender) or tuple(current)
        queries = await ended.named(connection, context.chat.id, seen)
    if not 1 <= position <= len(seen):
        return await _listed_with(context, context.phrases("unsubscribe.no_number", number=position))
    if reply := await _ended(context, seen[position - 1]):
        return reply
    gone = queries.get(seen[position - 1], "")
    return await _listed_with(context, context.phrases("unsubscribe.gone", number=position, query=gone or "–"))


async def drop(context: Context) -> Reply:
    """The button below a list: `drop:17` ends this chat's subscription 17; the list is shown without it."""
    number = number_in(context.argument)
    reply = await _ended(context, number) if number is not None else None
    if reply is None:
        return replace(await _listed_with(context, context.phrases("unsubscribe.dropped")), in_place=True)
    listed = await subscriptions(context)
    text = f"{reply.text}\n\n{listed.text}"
    return replace(listed, text=text, buttons=(*reply.buttons, *listed.buttons), in_place=True)


async def undo(context: Context) -> Reply:
    """Take up again what was ended, as if it never had been: what came meanwhile comes with the next digest."""
    number = number_in(context.argument)
    if number is None:
        return context.says("button.stale")
    async with context.services.database.write() as connection:
        followed = await chats.subscriptions_of(connection, context.chat.id)
        if full := too_many(context, len(followed) + 1):
            return full
        since = context.now - TIME_TO_UNDO
        again = await ended.take_up(connection, context.chat, number, since, context.now)
    if again is None:
        return replace(await _listed_with(context, context.phrases("unsubscribe.too_late")), in_place=True)
    context.services.scheduler.wake("poll")
    context.services.scheduler.wake("digest")
    said = context.phrases("unsubscribe.undone", query=again.interest)
    return replace(await _listed_with(context, said), in_place=True)


async def _ended(context: Context, number: int) -> Reply | None:
    """End the subscription of this number, and offer to take that back; None where the chat has none such."""
    async with context.services.database.write() as connection:
        was = await ended.end(connection, context.chat, number, context.now)
    if was is None:
        return None
    undo_it = Button(context.phrases("button.undo"), f"undo:{was.id}")
    return Reply(context.phrases("unsubscribe.done", query=was.interest), buttons=(undo_it,))


async def _listed_with(context: Context, said: str) -> Reply:
    listed = await subscriptions(context)
    return replace(listed, text=f"{said}\n\n{listed.text}", title="")


async def subscriptions(context: Context) -> Reply:
    """What the chat follows, one a line, each with its number; with buttons to end it, and to have it come at once."""
    async with context.services.database.read() as connection:
        followed = await chats.subscriptions_of(connection, context.chat.id)
    context.services.listed.show(context.chat, context.sender, tuple(each.id for each in followed))
    if not followed:
        return context.says("subscriptions.none")
    phrases, with_buttons = context.phrases, list(enumerate(followed[:_WITH_BUTTONS], start=1))
    return Reply(
        "\n".join([*_lines(context, followed), "", phrases("subscriptions.how"), phrases("subscriptions.alerts")]),
        title=phrases("subscriptions.title"),
        buttons=(
            *(Button(f"✕ {number}", f"drop:{each.id}") for number, each in with_buttons),
            *(_bell(number, each) for number, each in with_buttons),
        ),
    )


def _bell(number: int, each: Subscription) -> Button:
    if each.alerts_since is None:
        return Button(f"🔔 {number}", f"alert:on {each.id} list")
    return Button(f"🔕 {number}", f"alert:off {each.id} list")


def _lines(context: Context, followed: Sequence[Subscription]) -> list[str]:
    lines = []
    for number, each in enumerate(followed, start=1):
        at_once = context.phrases("subscriptions.at_once") if each.alerts_since is not None else ""
        said = filter(None, [str(each.interest), meaning(each.interest, context.phrases), at_once])
        lines.append(f"{number}. {' · '.join(said)}")
    return lines
