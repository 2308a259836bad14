"""Inline mode: `@bot 2502.14584` in any chat (https://core.telegram.org/bots/api#inline-mode)."""

import asyncio
import json
from collections.abc import Awaitable, Callable

import structlog
from telegram import (
    Bot,
    InlineQuery,
    InlineQueryResultArticle,
    InlineQueryResultsButton,
    InputTextMessageContent,
    LinkPreviewOptions,
)
from telegram.constants import ParseMode
from telegram.error import TelegramError

from bot.cards.plain import plain
from bot.cards.reply import Reply
from bot.clock import Clock
from bot.commands.offers import Result, Results
from bot.commands.request import Incoming, Sender
from bot.platforms.telegram.limits import (
    INLINE_ABOUT,
    INLINE_BUTTON,
    INLINE_LONGEST,
    INLINE_RESULTS,
)
from bot.platforms.telegram.render import render

PAUSE_IN_TYPING = 0.4
"""Seconds: what was typed is looked up when nothing more was typed for so long."""
LASTING, PASSING = 300, 3
"""Seconds for which Telegram may give the same person the same answer again; PASSING where it was none yet."""
_ANSWER_WITHIN = 8.0

Find = Callable[[Incoming, str], Awaitable[Results]]

log = structlog.get_logger(__name__)


class InlineQueries:
    """Answers what people type, each person's latest query only: one that is followed by another is given up."""

    def __init__(self, clock: Clock, find: Find) -> None:
        self._clock = clock
        self._find = find
        self._latest: dict[int, asyncio.Task[None]] = {}

    async def answer(self, query: InlineQuery, bot: Bot) -> None:
        """Look up what was typed and answer, if its person types nothing more meanwhile. Never raises."""
        person = query.from_user.id
        task = asyncio.create_task(self._answer(query, bot))
        if former := self._latest.get(person):
            former.cancel()
        self._latest[person] = task
        try:
            await asyncio.wait([task])
        finally:
            task.cancel()
            if self._latest.get(person) is task:
                del self._latest[person]

    async def _answer(self, query: InlineQuery, bot: Bot) -> None:
        try:
            async with asyncio.timeout(_ANSWER_WITHIN):
                await self._clock.sleep(PAUSE_IN_TYPING)
                found = await self._find(incoming_of(query), query.offset)
                await bot.answer_inline_query(
                    query.id,
                    [_article(result) for result in found.results[:INLINE_RESULTS]],
                    cache_time=LASTING if found.lasting else PASSING,
                    is_personal=True,
                    next_offset=found.following,
                    button=_button(found.hint) if found.hint else None,
                )
        except TelegramError as error:
            # Commonly it was too old: its person has typed on, or gone.
            log.info("telegram.inline_lost", reason=error.message)
        except TimeoutError:
            log.info("telegram.inline_lost", reason="not in time")
        except Exception:
            log.exception("telegram.inline_failed")


def incoming_of(query: InlineQuery) -> Incoming:
    """What was typed, as if in the private chat of who typed it: what they may is what that chat may."""
    user = query.from_user
    sender = Sender(str(user.id), user.full_name, user.language_code)
    return Incoming("telegram", str(user.id), user.full_name, False, sender, text=query.query[:INLINE_LONGEST])


def _article(result: Result) -> InlineQueryResultArticle:
    (payload,) = render(Reply(cards=(result.card,)))
    text = InputTextMessageContent(
        json.loads(payload)["text"], ParseMode.HTML, link_preview_options=LinkPreviewOptions(is_disabled=True)
    )
    return InlineQueryResultArticle(
        result.card.paper_id, plain(result.title)[:INLINE_ABOUT], text, description=plain(result.about)[:INLINE_ABOUT]
    )


def _button(hint: str) -> InlineQueryResultsButton:
    """What is shown above the results; pressed, it opens the private chat with the bot."""
    text = plain(hint)
    return InlineQueryResultsButton(
        text if len(text) <= INLINE_BUTTON else text[: INLINE_BUTTON - 1] + "…", start_parameter="inline"
    )
