"""Updates: what people say, press and change in Telegram, by long polling or by webhook, and the answers to it."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from weakref import WeakValueDictionary

import structlog
from telegram import CallbackQuery, Chat, ChatMember, ChatMemberUpdated, Update
from telegram.error import Conflict, InvalidToken, RetryAfter, TelegramError
from telegram.ext import Application, BaseUpdateProcessor, TypeHandler

from bot.cards.reply import Reply
from bot.clock import Clock
from bot.commands.request import BRIEF, Incoming
from bot.config import Telegram
from bot.delivery.port import Alert
from bot.platforms.telegram import webhook
from bot.platforms.telegram.incoming import incoming_of
from bot.platforms.telegram.inline import Find, InlineQueries
from bot.platforms.telegram.menu import MenuCommand, offer
from bot.platforms.telegram.render import render
from bot.platforms.telegram.request import AiohttpRequest
from bot.platforms.telegram.send import UNTIL_REPAIRED, confirm, pause, post, post_file, replace

LONG_POLL = timedelta(seconds=30)
FIRST_RETRY = timedelta(seconds=1)
LAST_RETRY = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(seconds=30)
"""A reply that Telegram wants held back longer is given up: whoever asked has long asked again."""

_HEARD = [Update.MESSAGE, Update.CHANNEL_POST, Update.CALLBACK_QUERY, Update.MY_CHAT_MEMBER, Update.INLINE_QUERY]
_AT_ONCE = 1024
_MOST_WAITING = 20

Answer = Callable[[Incoming], Awaitable[Reply | None]]

log = structlog.get_logger(__name__)


async def _always_new(_update_id: int) -> bool:
    return True


async def _nobody(_alert: Alert, _reason: str) -> None:
    return None


class TelegramUpdates:
    """Listens from `start` to `stop`, hands on what it hears, and sends the answers.

    With `settings.webhook_url` it is brought updates through `take`, else it asks for them.

    `commands`: what the menu offers. `find`: what somebody looks up while they type. `left` gets a chat id and why we
    may not write there any more, `joined` a chat id where we may (again), `moved` the old and the new id of a group
    that became a supergroup; a chat id stands for the forum topics of the chat too. Each message of an answer is sent
    within a `turn` at its address.

    Where several machines share a bot: `is_new` says of an update id whether nobody has handled it yet, and notes it;
    within a `lease` this machine may poll, and no other. It waits for its time, and ends it by cancelling what it holds
    and raising. `alert` gets what operators should know.
    """

    def __init__(
        self,
        settings: Telegram,
        clock: Clock,
        commands: Sequence[MenuCommand],
        answer: Answer,
        find: Find,
        joined: Callable[[str], Awaitable[None]],
        left: Callable[[str, str], Awaitable[None]],
        moved: Callable[[str, str], Awaitable[None]],
        turn: Callable[[str], AbstractAsyncContextManager[None]],
        is_new: Callable[[int], Awaitable[bool]] = _always_new,
        lease: Callable[[], AbstractAsyncContextManager[None]] = nullcontext,
        alert: Callable[[Alert, str], Awaitable[None]] = _nobody,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._commands = commands
        self._answer = answer
        self._inline = InlineQueries(clock, find)
        self._joined = joined
        self._left = left
        self._moved = moved
        self._turn = turn
        self._is_new = is_new
        self._lease = lease
        self._alert = alert
        self._listening: asyncio.Task[None] | None = None
        self._taking = asyncio.Lock()
        self._is_open = False
        self._offset = 0
        self._last_conflict = datetime.min.replace(tzinfo=UTC)
        # Not with the library's Updater: it sleeps up to 30 s through a stop and logs every failure with a traceback.
        self._application = (
            Application.builder()
            .token(settings.token.get_secret_value())
            .base_url(settings.base_url)
            .base_file_url(settings.base_file_url)
            .request(AiohttpRequest())
            .get_updates_request(AiohttpRequest())
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
        """Listen no longer; answers under way are sent. A webhook stays set: Telegram keeps what comes meanwhile."""
        if self._listening:
            self._listening.cancel()
            await asyncio.wait([self._listening])
        async with self._taking:
            self._is_open = False
        if self._application.running:
            await self._application.stop()
        await self._application.shutdown()
        await self._application.bot.shutdown()

    async def take(self, secret: str, body: bytes) -> int:
        """What Telegram brings to `webhook.PATH`, with its X-Telegram-Bot-Api-Secret-Token; the HTTP status to answer.

        200: it was handled before, or will be. 403: not from Telegram. 400: no update. 503: not now; Telegram keeps it,
        and what follows it in its chat, and comes again.
        """
        if not webhook.is_secret_of(self._settings.token.get_secret_value(), secret):
            return 403
        update = webhook.update_in(body, self._application.bot)
        if update is None:
            return 400
        async with self._taking:
            if not self._is_open:
                return 503
            await self._hand_on(update)
        return 200

    async def _listen(self) -> None:
        await self._until_it_works(self._begin)
        while not self._settings.webhook_url:
            try:
                async with self._lease():
                    while True:
                        await self._until_it_works(self._poll)
            except Exception as error:
                log.warning("telegram.lease_lost", reason=str(error))
                await self._clock.sleep(FIRST_RETRY.total_seconds())

    async def _begin(self) -> None:
        application, url = self._application, self._settings.webhook_url
        bot = application.bot
        await application.initialize()
        if url:
            secret = webhook.secret_of(self._settings.token.get_secret_value())
            await bot.set_webhook(
                url + webhook.PATH,
                max_connections=webhook.CONNECTIONS,
                allowed_updates=_HEARD,
                secret_token=secret,
            )
        else:
            await bot.delete_webhook()
        await offer(bot, self._commands)
        await application.start()
        self._is_open = True
        log.info("telegram.listening", bot=bot.username)

    async def _poll(self) -> None:
        bot = self._application.bot
        for update in await bot.get_updates(self._offset, timeout=LONG_POLL, allowed_updates=_HEARD):
            await self._hand_on(update)
            self._offset = update.update_id + 1

    async def _hand_on(self, update: Update) -> None:
        if await self._is_new(update.update_id):
            await self._application.update_queue.put(update)

    async def _until_it_works(self, work: Callable[[], Awaitable[None]]) -> None:
        retry = FIRST_RETRY
        while True:
            try:
                return await work()
            except InvalidToken as error:
                if retry != UNTIL_REPAIRED:
                    log.error("telegram.token_refused", fix="get the token from @BotFather and start again")
                    await self._tell_operators("token", error)
                retry = UNTIL_REPAIRED
            except Conflict as error:
                await self._tell_of_conflict(error)
            except Exception as error:
                if retry == FIRST_RETRY:
                    log.warning("telegram.unreachable", reason=str(error))
            await self._clock.sleep(retry.total_seconds())
            retry = min(retry * 2, max(retry, LAST_RETRY))

    async def _tell_of_conflict(self, error: Conflict) -> None:
        """Once a minute: a second poller comes and goes."""
        if self._clock.now() - self._last_conflict >= timedelta(minutes=1):
            self._last_conflict = self._clock.now()
            log.warning("telegram.conflict", fix="another process polls with this token: stop one of them")
            await self._tell_operators("second_poller", error)

    async def _tell_operators(self, alert: Alert, error: TelegramError) -> None:
        try:
            await self._alert(alert, error.message)
        except Exception:
            # Whoever cannot be told now is told at the next occasion; listening goes on.
            log.exception("telegram.alert_failed", alert=alert)

    async def _handle(self, update: Update, _context: object) -> None:
        try:
            if update.inline_query:
                return await self._inline.answer(update.inline_query, self._application.bot)
            if update.my_chat_member:
                await self._member_changed(update.my_chat_member)
            if update.message and update.message.migrate_to_chat_id:
                await self._moved(str(update.message.chat.id), str(update.message.migrate_to_chat_id))
            pressed = update.callback_query
            is_brief = pressed is not None and (pressed.data or "").partition(":")[0] in BRIEF
            if pressed and not is_brief:
                await confirm(pressed)
            incoming = incoming_of(update, self._application.bot)
            reply = await self._answer(incoming) if incoming else None
            if pressed and is_brief and await confirm(pressed, reply):
                return None
            if incoming and reply and not await self._replaced(pressed, reply):
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

    async def _replaced(self, pressed: CallbackQuery | None, reply: Reply) -> bool:
        """Put an answer in the place of the message whose button was pressed; False where that cannot be."""
        if pressed is None or pressed.message is None or not reply.in_place or reply.file:
            return False
        payloads = render(reply)
        if len(payloads) != 1:
            return False
        chat, message = pressed.message.chat.id, pressed.message.message_id
        try:
            async with self._turn(str(chat)):
                await replace(self._application.bot, chat, message, payloads[0])
        except TelegramError as error:
            log.info("telegram.not_replaced", address=str(chat), reason=error.message)
            return False
        return True

    async def _reply(self, address: str, reply: Reply) -> None:
        bot, is_paid = self._application.bot, self._settings.paid_broadcast
        sends = [partial(post, bot, address, payload, is_paid=is_paid) for payload in render(reply)]
        if reply.file:
            sends.append(partial(post_file, bot, address, reply.file, is_paid=is_paid))
        for send in sends:
            try:
                async with self._turn(address):
                    await self._patiently(send)
            except TelegramError as error:
                log.warning("telegram.reply_lost", address=address, reason=error.message)
                return

    async def _patiently(self, send: Callable[[], Awaitable[None]]) -> None:
        try:
            await send()
        except RetryAfter as error:
            if pause(error) > LONGEST_PAUSE:
                raise
            await self._clock.sleep(pause(error).total_seconds())
            await send()


class _ChatByChat(BaseUpdateProcessor):
    """Chats do not wait for each other; the updates of one chat are handled in order.

    What a flood in one chat brings beyond `_MOST_WAITING` is dropped, so that it cannot take the places of the others.
    Inline queries belong to no chat; of each person's only the latest is answered.
    """

    def __init__(self, at_once: int) -> None:
        super().__init__(at_once)
        self._turns: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()
        self._waiting: Counter[int] = Counter()

    async def do_process_update(self, update: object, coroutine: Awaitable[Any]) -> None:
        if isinstance(update, Update) and update.inline_query:
            await coroutine
            return
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
