"""What composing needs of other rooms, which it does not know: `app` hands it in."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from bot.cards.reply import Render
from bot.chats import Chat, PlatformName
from bot.papers import Paper, PaperId
from bot.summary import Summary

Renders = Mapping[PlatformName, Render]
Summarise = Callable[[Sequence[Paper]], Awaitable[dict[PaperId, Summary]]]
WhyQuiet = Callable[[Chat, int, datetime], Awaitable[str]]
"""Says in a chat's language why a digest has nothing, of how many papers that were announced."""


class Awaited(Protocol):
    """Says for which of some papers' summaries a digest should wait, for readers of both languages or of English."""

    async def __call__(self, papers: Sequence[Paper], now: datetime, *, bilingual: bool) -> set[PaperId]: ...
