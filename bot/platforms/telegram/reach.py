"""Reach: the channels and groups that a person may set up from their private chat with the bot."""

import re

from telegram import (
    Bot,
    ChatFullInfo,
    ChatMember,
    ChatMemberAdministrator,
    ChatMemberRestricted,
    Message,
    MessageOriginChannel,
    MessageOriginChat,
)
from telegram import Chat as TelegramChat
from telegram.error import BadRequest, Forbidden, TelegramError

from bot.commands.request import NotReachedError, Place

_LINK = re.compile(r"(?:https?://)?(?:t|telegram)\.me/(?:c/(\d{1,19})|(\w{4,32}))(?:/\d+)*/?", re.A)
_NAME = re.compile(r"@?([A-Za-z]\w{3,31})", re.A)
_NUMBER = re.compile(r"-\d{1,19}", re.A)
_OF_A_LINK = "-100"
"""What a channel's id begins with, and a link to one of its posts leaves out."""


async def reach(bot: Bot, user_id: int, named: str) -> Place:
    """The channel or group of this name, link or id, which this person and the bot may write to.

    Asked of Telegram each time: rights come and go (https://core.telegram.org/bots/api#getchatmember). Raises
    NotReachedError.
    """
    wanted = _id_of(named.strip())
    if wanted is None:
        raise NotReachedError("unknown")
    try:
        chat = await bot.get_chat(wanted)
        if chat.type == TelegramChat.PRIVATE:
            raise NotReachedError("no_place")
        if not _may_post(chat, await bot.get_chat_member(chat.id, bot.id)):
            raise NotReachedError("may_not_post")
        member = await bot.get_chat_member(chat.id, user_id)
    except Forbidden:
        raise NotReachedError("not_member") from None
    except BadRequest as error:
        # Who is no member of a public channel can see it, but nobody in it.
        raise NotReachedError("not_member" if "member list" in error.message.lower() else "unknown") from None
    except TelegramError:
        raise NotReachedError("unreachable") from None
    if member.status not in (ChatMember.OWNER, ChatMember.ADMINISTRATOR):
        raise NotReachedError("not_admin")
    return Place(str(chat.id), chat.effective_name or "")


def origin_of(message: Message | None) -> int | None:
    """Which channel or group a forwarded message comes from, where it tells."""
    match message.forward_origin if message else None:
        case MessageOriginChannel(chat=chat) | MessageOriginChat(sender_chat=chat):
            return chat.id
        case _:
            return None


def _id_of(named: str) -> str | int | None:
    if _NUMBER.fullmatch(named):
        return int(named)
    if link := _LINK.fullmatch(named):
        return int(_OF_A_LINK + link[1]) if link[1] else f"@{link[2]}"
    name = _NAME.fullmatch(named)
    return f"@{name[1]}" if name else None


def _may_post(chat: ChatFullInfo, member: ChatMember) -> bool:
    """Whether the bot may write there. Raises NotReachedError where it is no member."""
    if member.status in (ChatMember.LEFT, ChatMember.BANNED):
        raise NotReachedError("not_member")
    if chat.type == TelegramChat.CHANNEL:
        return isinstance(member, ChatMemberAdministrator) and bool(member.can_post_messages)
    if isinstance(member, ChatMemberAdministrator):
        return True
    if isinstance(member, ChatMemberRestricted):
        return member.is_member and member.can_send_messages
    return chat.permissions is None or chat.permissions.can_send_messages is not False
