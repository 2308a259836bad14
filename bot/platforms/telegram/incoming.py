"""Incoming: what an update asks of us, in words that no platform owns."""

import re
from functools import partial

import structlog
from telegram import Bot, CallbackQuery, Chat, ChatMember, Message, Update, User
from telegram.error import BadRequest, Forbidden, TelegramError

from bot.commands.request import Fetch, Hearing, Incoming, Reach, Sender, Venue, always
from bot.papers import find_linked_ids
from bot.platforms.telegram.files import fetch
from bot.platforms.telegram.reach import origin_of, reach
from bot.platforms.telegram.render import WORD_JOINER

log = structlog.get_logger(__name__)

_COMMAND = re.compile(r"(/\w+)(?:@(\w+))?(?!\S)")


def incoming_of(update: Update, bot: Bot) -> Incoming | None:
    """What an update asks of us: a pressed button, a command, any text in a private chat; None for all the rest.

    A command may stand under a document, or answer a message with one: then it brings that along. A bare /channel that
    answers a forwarded post means the channel that it comes from. Of what people of a group say to each other only what
    has a link to a paper is handed on.
    """
    if update.callback_query:
        return _pressed(update.callback_query, bot)
    message = update.message or update.channel_post
    if message is None or message.is_automatic_forward:
        return None
    text = _text_for(message.text or (message.caption if message.document else None) or "", bot.username)
    if text is None:
        return None
    if not text.startswith("/") and not (text and message.text and message.chat.type == Chat.PRIVATE):
        return _overheard(message, bot)
    sender = _sender(message, bot)
    if sender is None:
        return None
    answered = message.reply_to_message
    document = message.document or (answered.document if answered else None)
    file = partial(fetch, bot, document) if document and text.startswith("/") else None
    is_private = message.chat.type == Chat.PRIVATE
    if is_private and text == "/channel" and (origin := origin_of(answered)):
        text = f"/channel {origin}"
    person = message.from_user if is_private else None
    return _incoming(bot, message.chat, _topic(message), sender, text=text, file=file, reach=_reach(bot, person))


def _overheard(message: Message, bot: Bot) -> Incoming | None:
    """A message with a link, also one behind a word. What came through a bot has been answered by that bot."""
    sender = None if message.via_bot or message.chat.type == Chat.PRIVATE else _sender(message, bot)
    behind = [entity.url for entity in (*message.entities, *message.caption_entities) if entity.url]
    text = "\n".join([message.text or message.caption or "", *behind])
    if sender is None or not any(find_linked_ids(text)):
        return None
    return _incoming(bot, message.chat, _topic(message), sender, text=text, overheard=True)


def _pressed(query: CallbackQuery, bot: Bot) -> Incoming | None:
    if query.message is None or query.data is None:
        return None
    topic = _topic(query.message) if isinstance(query.message, Message) else None
    chat = query.message.chat
    reached = _reach(bot, query.from_user if chat.type == Chat.PRIVATE else None)
    return _incoming(bot, chat, topic, _person(query.from_user, chat, bot), action=query.data, reach=reached)


def _reach(bot: Bot, person: User | None) -> Reach | None:
    """From a private chat its person sets up channels."""
    return partial(reach, bot, person.id) if person else None


def _incoming(
    bot: Bot,
    chat: Chat,
    topic: int | None,
    sender: Sender,
    text: str = "",
    action: str = "",
    file: Fetch | None = None,
    reach: Reach | None = None,
    *,
    overheard: bool = False,
) -> Incoming:
    return Incoming(
        platform="telegram",
        address=f"{chat.id}:{topic}" if topic else str(chat.id),
        title=chat.effective_name or "",
        is_group=chat.type != Chat.PRIVATE,
        sender=sender,
        text=text,
        action=action,
        file=file,
        reach=reach,
        overheard=overheard,
        venue=Venue(hears=partial(_hears, bot, chat)),
    )


async def _hears(bot: Bot, chat: Chat) -> Hearing:
    """What Telegram lets the bot hear: https://core.telegram.org/bots/features#privacy-mode."""
    if chat.type in (Chat.PRIVATE, Chat.CHANNEL):
        return "all"
    try:
        if (await bot.get_me()).can_read_all_group_messages or await _is_admin(bot, chat.id, bot.id):
            return "all"
    except TelegramError:
        return "all"
    return "commands"


def _topic(message: Message) -> int | None:
    """Replies in a group without topics have a thread as well, which is no place to write to."""
    return message.message_thread_id if message.is_topic_message else None


def _text_for(text: str, username: str) -> str | None:
    """A text without `@ourname` behind its command, and as typed where it was copied from us; None: for another bot."""
    text = text.replace(WORD_JOINER, "").strip()
    command = _COMMAND.match(text)
    if command is None or command[2] is None:
        return text
    return command[1] + text[command.end() :] if command[2].lower() == username.lower() else None


def _sender(message: Message, bot: Bot) -> Sender | None:
    """Who wrote a message. A chat that writes as itself is its anonymous admin; other bots are not listened to."""
    chat, person = message.sender_chat, message.from_user
    if chat:
        is_itself = chat.id == message.chat.id
        return Sender(str(chat.id), chat.effective_name or "", is_admin=always if is_itself else _never)
    return _person(person, message.chat, bot) if person and not person.is_bot else None


def _person(user: User, chat: Chat, bot: Bot) -> Sender:
    is_admin = always if chat.type == Chat.PRIVATE else partial(_is_admin, bot, chat.id, user.id)
    return Sender(str(user.id), user.full_name, user.language_code, is_admin)


async def _is_admin(bot: Bot, chat_id: int, user_id: int) -> bool:
    try:
        member = await bot.get_chat_member(chat_id, user_id)
    except (BadRequest, Forbidden) as error:
        # As where the bot is no administrator of a channel: then nobody is known there.
        log.info("telegram.member_unknown", chat=chat_id, reason=error.message)
        return False
    return member.status in (ChatMember.OWNER, ChatMember.ADMINISTRATOR)


async def _never() -> bool:
    return False
