"""Mentioning: the role of a server whose people a daily digest is to reach."""

import re

from bot.commands.context import Context

# A mention as Discord's clients write it, or the number alone: https://discord.com/developers/docs/reference#message-formatting
_ROLE = re.compile(r"(?:<@&)?(\d{15,20})>?", re.A)


def role_in(value: str) -> str | None:
    """The number of the role that a text names; None: it names none."""
    found = _ROLE.fullmatch(value)
    return found[1] if found else None


async def refused(context: Context, value: str) -> str:
    """Why a role cannot be mentioned here; nothing where it can."""
    number = role_in(value)
    if number is None:
        return ""
    role = context.venue.role(number)
    if role is None:
        return context.phrases("mention.unknown")
    return "" if role.may_be_mentioned else context.phrases("mention.not_allowed", role=role.name)


async def note(context: Context) -> str:
    """Which role is mentioned, by its name, and whether its people still get to know."""
    number = context.chat.preferences.mention
    if not number:
        return ""
    role = context.venue.role(number)
    if role is None:
        return context.phrases("mention.gone")
    key = "mention.role" if role.may_be_mentioned else "mention.not_allowed"
    return context.phrases(key, role=role.name)
