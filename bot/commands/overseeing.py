"""Overseeing: an operator's list of chats, one chat's page, and what can be done there."""

import re
from dataclasses import replace
from math import ceil

import structlog

from bot.cards.reply import Button, Reply
from bot.chats import LARGEST_CAP, MOST_SUBSCRIPTIONS, Chat, Quota
from bot.commands import access, banning
from bot.commands.access import by_whom
from bot.commands.context import Context
from bot.commands.request import number_in
from bot.storage import chats, overview
from bot.storage.overview import Overseen

_A_PAGE = 8
_TITLE_SHOWN = 40
_SOUGHT_BYTES = 30
_PAGE = re.compile(r"p([0-9]{1,6})(?: (.*))?", re.S)
_OFF = ("off", "none", "no", "关", "无")
_CHOICES = {"papers": ("off", "10", "20", "50"), "subscriptions": ("off", "5", "10", "20")}
_LARGEST = {"papers": LARGEST_CAP, "subscriptions": MOST_SUBSCRIPTIONS}

log = structlog.get_logger(__name__)


async def list_chats(context: Context) -> Reply:
    """A page of chats: all, those in a state, or those whose title has these words: `waiting`, `p2 lab`."""
    phrases = context.phrases
    written = _PAGE.fullmatch(context.argument)
    page = int(written[1]) if written else 1
    sought = ((written[2] or "") if written else context.argument).strip()
    sought = sought.lower().replace("\0", "").encode()[:_SOUGHT_BYTES].decode(errors="ignore")
    async with context.services.database.read() as connection:
        count = await overview.count(connection, sought)
        pages = max(1, ceil(count / _A_PAGE))
        page = max(1, min(page, pages))
        found = await overview.page(connection, sought, _A_PAGE, (page - 1) * _A_PAGE)
    back = Button(phrases("button.back"), "admin:")
    if not found:
        return Reply(phrases("admin.no_chats"), title=phrases("admin.chats_title", count=0), buttons=(back,))
    turns = ((page - 1, "◀"), (page, f"{page}/{pages}"), (page + 1, "▶")) if pages > 1 else ()
    return Reply(
        "\n".join([*(_line(context, each) for each in found), "", phrases("admin.chats_how")]),
        title=phrases("admin.chats_title", count=count),
        buttons=(
            *(Button(f"{each.chat.id}", f"admin:chat {each.chat.id}") for each in found),
            *(Button(label, f"admin:chats p{to} {sought}".strip()) for to, label in turns if 1 <= to <= pages),
            back,
        ),
    )


def _line(context: Context, each: Overseen) -> str:
    last = each.chat.last_digest_day
    return context.phrases(
        "admin.chat_line",
        number=each.chat.id,
        title=each.chat.title[:_TITLE_SHOWN] or each.chat.address,
        platform=each.chat.platform.capitalize(),
        state=context.phrases(f"state.{each.state}"),
        subscriptions=each.subscriptions,
        last=context.phrases.day(last) if last else "–",
    )


async def show_chat(context: Context) -> Reply:
    """One chat's page: `12`."""
    return await _page(context, context.argument)


async def _page(context: Context, written: str, said: str = "") -> Reply:
    phrases = context.phrases
    number = number_in(written)
    async with context.services.database.read() as connection:
        found = await overview.one(connection, number) if number is not None else None
    if found is None:
        return context.says("admin.no_chat", number=written[:_TITLE_SHOWN])
    chat, last = found.chat, found.chat.last_digest_day
    state = phrases(f"state.{found.state}")
    lines = [
        *([said, ""] if said else []),
        phrases("admin.chat_who", number=chat.id, platform=chat.platform.capitalize(), address=chat.address),
        *([phrases("admin.chat_person", person=f"{chat.platform}:{chat.person_id}")] if chat.person_id else []),
        phrases("admin.chat_state", state=state, since=f"{found.known_since:%Y-%m-%d}"),
        *([phrases("admin.chat_reason", reason=chat.inactive_because[:200])] if chat.inactive_because else []),
        phrases("admin.chat_follows", count=found.subscriptions, most=chat.quota.most_subscriptions),
        phrases(
            "admin.chat_papers", most=chat.quota.papers or phrases("admin.no_limit"), cap=chat.preferences.cap or "∞"
        ),
        phrases("admin.chat_last", last=phrases.day(last) if last else "–"),
    ]
    return Reply("\n".join(lines), title=chat.title[:_TITLE_SHOWN] or chat.address, buttons=_actions(context, chat))


def _actions(context: Context, chat: Chat) -> tuple[Button, ...]:
    possible = ["unban"] if chat.access == "banned" else []
    if chat.platform != "web" and not possible:
        possible = [
            *(["allow"] if chat.access != "allowed" else []),
            *(["deny"] if chat.access != "denied" else []),
            "ban",
        ]
    return (
        *(Button(context.phrases(f"button.{each}"), f"admin:{each} {chat.id}") for each in possible),
        Button(context.phrases("button.quota_papers"), f"admin:quota {chat.id} papers"),
        Button(context.phrases("button.quota_subscriptions"), f"admin:quota {chat.id} subscriptions"),
        Button(context.phrases("button.back"), "admin:chats"),
    )


async def allow(context: Context) -> Reply:
    """Let a chat in: `12`."""
    return await _page(context, context.argument, (await access.allow(context)).text)


async def deny(context: Context) -> Reply:
    """Keep a chat out: `12`."""
    chat = await _chat(context)
    if chat is not None and await banning.runs_the_bot(context, chat):
        return await _page(context, context.argument, context.phrases("admin.not_bannable"))
    return await _page(context, context.argument, (await access.deny(context)).text)


async def ban(context: Context) -> Reply:
    """Ban a chat, `12`, or a person, `telegram:777`."""
    if person := banning.person_of(context.argument):
        return await banning.ban_person(context, person)
    chat = await _chat(context)
    if chat is None:
        return context.says("admin.ban_how")
    refusal = await banning.ban(context, chat)
    said = refusal.text if refusal else context.phrases("admin.banned", title=chat.title[:_TITLE_SHOWN])
    return await _page(context, context.argument, said)


async def unban(context: Context) -> Reply:
    """End a ban of either."""
    if person := banning.person_of(context.argument):
        return await banning.unban_person(context, person)
    chat = await _chat(context)
    if chat is None:
        return context.says("admin.ban_how")
    was = await banning.unban(context, chat)
    key = "admin.unbanned" if was else "admin.was_not_banned"
    return await _page(context, context.argument, context.phrases(key, title=chat.title[:_TITLE_SHOWN]))


async def quota(context: Context) -> Reply:
    """Limit a chat and all its topics: `12 papers 20`, `12 subscriptions off`."""
    written, _, rest = context.argument.partition(" ")
    what, _, value = rest.strip().lower().partition(" ")
    chat = await _chat(replace(context, argument=written))
    if chat is None or what not in _CHOICES:
        return context.says("admin.quota_how")
    if not value.strip():
        return _choices(context, chat, what)
    number = None if value.strip() in _OFF else number_in(value.strip())
    if value.strip() not in _OFF and not (number is not None and 1 <= number <= _LARGEST[what]):
        return context.says("admin.quota_range", value=value[:20], most=_LARGEST[what])
    async with context.services.database.write() as connection:
        for each in await chats.at(connection, chat.platform, chat.place):
            limits = (
                replace(each.quota, papers=number) if what == "papers" else replace(each.quota, subscriptions=number)
            )
            await overview.set_quota(connection, each, limits)
    log.info("admin.quota", chat=chat.id, what=what, most=number, by=by_whom(context))
    return await _page(context, written, context.phrases("admin.quota_set"))


def _choices(context: Context, chat: Chat, what: str) -> Reply:
    phrases = context.phrases
    return Reply(
        phrases(f"limit.{what}", title=chat.title[:_TITLE_SHOWN], most=_now(context, chat.quota, what)),
        title=phrases(f"button.quota_{what}"),
        buttons=(
            *(
                Button(phrases("admin.no_limit") if each == "off" else each, f"admin:quota {chat.id} {what} {each}")
                for each in _CHOICES[what]
            ),
            Button(phrases("button.back"), f"admin:chat {chat.id}"),
        ),
    )


def _now(context: Context, limits: Quota, what: str) -> str:
    most = limits.papers if what == "papers" else limits.most_subscriptions
    return str(most) if most is not None else context.phrases("admin.no_limit")


async def _chat(context: Context) -> Chat | None:
    number = number_in(context.argument)
    if number is None:
        return None
    async with context.services.database.read() as connection:
        return await chats.get(connection, number)
