"""Updates: what people say, press and change in Telegram, by long polling, and the answers to it."""

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from weakref import WeakValueDictionary

import structlog
from telegram import Bot, CallbackQuery, Chat, ChatMember, ChatMemberUpdated, Message, Update, User
from telegram.error import Conflict, InvalidToken, RetryAfter, TelegramError
from telegram.ext import Application, BaseUpdateProcessor, TypeHandler

from bot.cards.reply import Reply
from bot.clock import Clock
from bot.commands.request import Incoming, Sender, always
from bot.config import Telegram
from bot.platforms.telegram.render import WORD_JOINER, render
from bot.platforms.telegram.send import READ_TIMEOUT, pause, post

LONG_POLL = timedelta(seconds=30)
FIRST_RETRY = timedelta(seconds=1)
LAST_RETRY = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(seconds=30)
"""A reply that Telegram wants held back longer is given up: whoever asked has long asked again."""

_HEARD = [Update.MESSAGE, Update.CHANNEL_POST, Update.CALLBACK_QUERY, Update.MY_CHAT_MEMBER]
_AT_ONCE = 1024
_MOST_WAITING = 20
_COMMAND = re.compile(r"(/\w+)(?:@(\w+))?(?!\S)")

Answer = Callable[[Incoming], Awaitable[Reply | None]]

log = structlog.get_logger(__name__)


class TelegramUpdates:
    """Listens from `start` to `stop`, hands on what it hears, and sends the answers.

    `commands`: name, English and Chinese description. `left` gets a chat id and why we may not write there any more,
    `joined` a chat id where we may (again), `moved` the old and the new id of a group that became a supergroup; a chat
    id stands for the forum topics of the chat too. Each message of an answer is sent within a `turn` at its address.
    """

    def __init__(
        self,
        settings: Telegram,
        clock: Clock,
        commands: Sequence[tuple[str, str, str]],
        answer: Answer,
        joined: Callable[[str], Awaitable[None]],
        left: Callable[[str, str], Awaitable[None]],
        moved: Callable[[str, str], Awaitable[None]],
        turn: Callable[[str], AbstractAsyncContextManager[None]],
    ) -> None:
        self._clock = clock
        self._commands = commands
        self._answer = answer
        self._joined = joined
        self._left = left
        self._moved = moved
        self._turn = turn
        self._listening: asyncio.Task[None] | None = None
        self._last_conflict = datetime.min.replace(tzinfo=UTC)
        # Not with the library's Updater: it sleeps up to 30 s through a stop and logs every failure with a traceback.
        self._application = (
            Application.builder()
            .token(settings.token.get_secret_value())
            .base_url(settings.base_url)
            .base_file_url(settings.base_file_url)
            .read_timeout(READ_TIMEOUT)
            .updater(None)
            .job_queue(None)
            .concurrent_updates(_ChatByChat(_AT_ONCE))
            .build()
        )
        self._application.add_handler(TypeHandler(Update, self._handle))

    async def start(self) -> None:
        """Begin to listen, or to try to: Telegram need not be reachable yet."""
        self._listening = asyncio.create_task(self._listen())

    async def stop(self) -> None:
        """Listen no longer; answers under way are sent."""
        if self._listening:
            self._listening.cancel()
            await asyncio.wait([self._listening])
        if self._application.running:
            await self._application.stop()
        await self._application.shutdown()
        await self._application.bot.shutdown()

    async def _listen(self) -> None:
        offset, retry = 0, FIRST_RETRY
        while True:
            try:
                if not self._application.running:
                    await self._begin()
                updates = await self._application.bot.get_updates(offset, timeout=LONG_POLL, allowed_updates=_HEARD)
            except InvalidToken:
                log.error("telegram.token_refused", fix="get the token from @BotFather and start again")
                return
            except Exception as error:
                self._tell(error, is_first=retry == FIRST_RETRY)
                await self._clock.sleep(retry.total_seconds())
                retry = min(retry * 2, LAST_RETRY)
                continue
            retry = FIRST_RETRY
            for update in updates:
                await self._application.update_queue.put(update)
                offset = update.update_id + 1

    async def _begin(self) -> None:
        bot = self._application.bot
        await self._application.initialize()
        await bot.delete_webhook()
        await bot.set_my_commands([(name, english) for name, english, _ in self._commands])
        await bot.set_my_commands([(name, chinese) for name, _, chinese in self._commands], language_code="zh")
        await self._application.start()
        log.info("telegram.listening", bot=bot.username)

    def _tell(self, error: Exception, *, is_first: bool) -> None:
        """One line for a row of failures; a second poller, which comes and goes, gets one a minute."""
        if not isinstance(error, Conflict):
            if is_first:
                log.warning("telegram.unreachable", reason=str(error))
        elif self._clock.now() - self._last_conflict >= timedelta(minutes=1):
            self._last_conflict = self._clock.now()
            log.warning("telegram.conflict", fix="another process polls with this token: stop one of them")

    async def _handle(self, update: Update, _context: object) -> None:
        try:
            if update.my_chat_member:
                await self._member_changed(update.my_chat_member)
            if update.message and update.message.migrate_to_chat_id:
                await self._moved(str(update.message.chat.id), str(update.message.migrate_to_chat_id))
            if update.callback_query:
                # It may be too old to be answered; what it asks for is done all the same.
                with suppress(TelegramError):
                    await update.callback_query.answer()
            incoming = incoming_of(update, self._application.bot)
            reply = await self._answer(incoming) if incoming else None
            if incoming and reply:
                await self._reply(incoming.address, reply)
        except Exception:
            log.exception("telegram.update_failed", update=update.update_id)

    async def _member_changed(self, change: ChatMemberUpdated) -> None:
        chat, member = change.chat, change.new_chat_member
        if member.status == ChatMember.BANNED:
            is_private = chat.type == Chat.PRIVATE
            await self._left(str(chat.id), "blocked by the user" if is_private else "removed from the chat")
        elif member.status == ChatMember.LEFT:
            await self._left(str(chat.id), "not a member of the chat")
        else:
            await self._joined(str(chat.id))

    async def _reply(self, address: str, reply: Reply) -> None:
        for payload in render(reply):
            try:
                async with self._turn(address):
                    await self._post(address, payload)
            except TelegramError as error:
                log.warning("telegram.reply_lost", address=address, reason=error.message)
                return

    async def _post(self, address: str, payload: str) -> None:
        bot = self._application.bot
        try:
            await post(bot, address, payload)
        except RetryAfter as error:
            if pause(error) > LONGEST_PAUSE:
                raise
            await self._clock.sleep(pause(error).total_seconds())
            await post(bot, address, payload)


class _ChatByChat(BaseUpdateProcessor):
    """Chats do not wait for each other; the updates of one chat are handled in order.

    What a flood in one chat brings beyond `_MOST_WAITING` is dropped, so that it cannot take the places of the others.
    """

    def __init__(self, at_once: int) -> None:
        super().__init__(at_once)
        self._turns: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()
        self._waiting: Counter[int] = Counter()

    async def do_process_update(self, update: object, coroutine: Awaitable[Any]) -> None:
        chat = update.effective_chat if isinstance(update, Update) else None
        chat_id = chat.id if chat else 0
        if self._waiting[chat_id] >= _MOST_WAITING and asyncio.iscoroutine(coroutine):
            coroutine.close()
            return
        self._waiting[chat_id] += 1
        turn = self._turns.setdefault(chat_id, asyncio.Lock())
        try:
            async with turn:
                await coroutine
        finally:
            self._waiting[chat_id] -= 1
            if not self._waiting[chat_id]:
                del self._waiting[chat_id]

    async def initialize(self) -> None:
        """Nothing to prepare."""

    async def shutdown(self) -> None:
        """Nothing to close."""


def incoming_of(update: Update, bot: Bot) -> Incoming | None:
    """What an update asks of us: a pressed button, a command, any text in a private chat; None for all the rest."""
    if update.callback_query:
        return _pressed(update.callback_query, bot)
    message = update.message or update.channel_post
    if message is None or not message.text or message.is_automatic_forward:
        return None
    text = _text_for(message.text, bot.username)
    if text is None or not (text.startswith("/") or message.chat.type == Chat.PRIVATE):
        return None
    sender = _sender(message, bot)
    return _incoming(message.chat, _topic(message), sender, text=text) if sender else None


def _pressed(query: CallbackQuery, bot: Bot) -> Incoming | None:
    if query.message is None or query.data is None:
        return None
    topic = _topic(query.message) if isinstance(query.message, Message) else None
    chat = query.message.chat
    return _incoming(chat, topic, _person(query.from_user, chat, bot), action=query.data)


def _incoming(chat: Chat, topic: int | None, sender: Sender, text: str = "", action: str = "") -> Incoming:
    return Incoming(
        platform="telegram",
        address=f"{chat.id}:{topic}" if topic else str(chat.id),
        title=chat.effective_name or "",
        is_group=chat.type != Chat.PRIVATE,
        sender=sender,
        text=text,
        action=action,
    )


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
    member = await bot.get_chat_member(chat_id, user_id)
    return member.status in (ChatMember.OWNER, ChatMember.ADMINISTRATOR)


async def _never() -> bool:
    return False
