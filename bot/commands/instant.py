"""/alert: which subscriptions' papers come at once, each time as soon as they are there, instead of once a day."""

from collections.abc import Sequence
from dataclasses import replace

from bot.cards.reply import Button, Reply
from bot.chats import Subscription
from bot.commands.context import Context
from bot.commands.queries import mend, named, subscribe_button
from bot.commands.request import number_in
from bot.commands.subscribing import subscriptions
from bot.digests.alerts import MOST_A_DAY
from bot.interests import BadQuery, parse_interest
from bot.storage import alerts, chats

_ON, _OFF = ("on", "yes", "开", "开启", "打开"), ("off", "no", "关", "关闭")


async def alert(context: Context) -> Reply:
    """`/alert 2`, `/alert cs.CV "vision transformer" off`, `/alert off`; without more it shows what could be said."""
    words = context.argument.split()
    if not words:
        return await subscriptions(context)
    is_on = words[-1].lower() not in _OFF
    if words[-1].lower() in _ON + _OFF:
        words = words[:-1]
    async with context.services.database.read() as connection:
        followed = await chats.subscriptions_of(connection, context.chat.id)
    if not words and not is_on:
        return await _switched(context, followed, is_on=False)
    target = " ".join(words)
    if (position := number_in(target)) is not None:
        # As it stood in the list that they saw last: another may have moved up since.
        seen = context.services.listed.last(context.chat, context.sender) or [each.id for each in followed]
        named = seen[position - 1 : position] if position else ()
        meant = [each for each in followed if each.id in named]
        return await _switched(context, meant, is_on=is_on) if meant else context.says("alert.how")
    try:
        interest = parse_interest(target)
    except BadQuery as error:
        return context.says("alert.how") if error.problem == "empty" else mend(context, error)
    if meant := [each for each in followed if each.interest == interest]:
        return await _switched(context, meant, is_on=is_on)
    return Reply(
        context.phrases("alert.not_followed", query=interest), buttons=subscribe_button(interest, context.phrases)
    )


async def pressed(context: Context) -> Reply:
    """A button: `alert:on 17`, with the subscription's number; `alert:off 17 list` shows the list anew in its place."""
    state, _, rest = context.argument.partition(" ")
    written, _, where = rest.partition(" ")
    number = number_in(written)
    if state not in ("on", "off") or number is None:
        return context.says("button.stale")
    async with context.services.database.read() as connection:
        followed = await chats.subscriptions_of(connection, context.chat.id)
    meant = [each for each in followed if each.id == number]
    if not meant:
        return context.says("alert.gone")
    switched = await _switched(context, meant, is_on=state == "on")
    return replace(await subscriptions(context), in_place=True) if where == "list" else switched


async def _switched(context: Context, meant: Sequence[Subscription], *, is_on: bool) -> Reply:
    """Switch these, and say what is going to come when."""
    phrases, preferences = context.phrases, context.chat.preferences
    async with context.services.database.write() as connection:
        since = context.now if is_on else None
        await alerts.switch(connection, context.chat.id, [each.id for each in meant], since)
    if not meant:
        return context.says("subscriptions.none")
    if not is_on:
        key = "alert.off" if len(meant) == 1 else "alert.all_off"
        return context.says(key, query=named(meant[0].interest, phrases))
    cap = min(preferences.cap or MOST_A_DAY, MOST_A_DAY)
    lines = [phrases("alert.on", query=named(meant[0].interest, phrases)), phrases("alert.bounds", count=cap)]
    if preferences.quiet is not None:
        lines.append(phrases("alert.quiet", until=f"{preferences.quiet[1]:%H:%M}"))
    return Reply("\n".join(lines), buttons=(Button(phrases("button.alert_off"), f"alert:off {meant[0].id}"),))
