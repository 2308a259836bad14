"""Inline mode: what people type behind the bot's name, and its answers (https://core.telegram.org/bots/api#inline-mode)."""

import asyncio
import re
import time
from dataclasses import dataclass

from ..stub import Now
from .limits import (
    ENTITY_LIMIT,
    INLINE_RESULTS,
    OFFSET_BYTES,
    QUERY_LIMIT,
    RESULT_ID_BYTES,
    TEXT_LIMIT,
    TOKEN,
)
from .texts import Json, parsed, trimmed, units
from .updates import bad
from .world import World

_TOO_OLD = "query is too old and response timeout expired or query ID is invalid"


@dataclass(frozen=True, slots=True)
class Article:
    """A result as its person sees it, and the text that is posted when it is chosen."""

    id: str
    title: str
    description: str
    text: str
    entities: list[Json]


@dataclass(frozen=True, slots=True)
class InlineAnswer:
    """What the bot answered to a query. `button`: its text and where it leads, if there is one."""

    at: float
    articles: list[Article]
    next_offset: str
    cache_time: int
    is_personal: bool
    button: tuple[str, str] | None


class Inline(World):
    """People who type `@paperwire_test_bot …` anywhere. It is off until `supports_inline_queries` is set in `me`."""

    def __init__(self, now: Now = time.time, port: int = 0, *, token: str = TOKEN) -> None:
        super().__init__(now, port, token=token)
        self.inline_answers: dict[str, InlineAnswer] = {}
        """The answers by the id of their query."""
        self._typed: set[str] = set()
        self._answered = asyncio.Event()

    def type_inline(self, user_id: int, query: str, offset: str = "") -> str:
        """Somebody types; the query's id. Raises ValueError where inline mode is off, or for more than can be typed."""
        if not self.me["supports_inline_queries"] or len(query) > QUERY_LIMIT:
            raise ValueError(query)
        query_id = f"inline-{self._next_update}"
        self._typed.add(query_id)
        content = {"id": query_id, "from": self._users[user_id], "query": query, "offset": offset}
        self._push("inline_query", content | {"chat_type": "group"})
        return query_id

    def choose(self, query_id: str, number: int, chat_id: int, user_id: int) -> int:
        """Somebody posts a result into a chat; the update id, 0 where the bot is not told."""
        article = self.inline_answers[query_id].articles[number]
        return self.say(chat_id, user_id, article.text, via_bot=self.me, entities=article.entities)

    async def inline_answer(self, query_id: str, timeout: float = 5.0) -> InlineAnswer:  # noqa: ASYNC109
        """The answer to a query. Raises TimeoutError after real seconds."""
        async with asyncio.timeout(timeout):
            while query_id not in self.inline_answers:
                self._answered.clear()
                await self._answered.wait()
        return self.inline_answers[query_id]

    def forget_inline_queries(self) -> None:
        """Everything was typed too long ago to be answered."""
        self._typed.clear()

    async def _answer_inline_query(self, params: Json) -> bool:
        query_id, results = str(params.get("inline_query_id", "")), params.get("results")
        if query_id not in self._typed:
            raise bad(_TOO_OLD)
        if not isinstance(results, list):
            raise bad("can't parse inline query results JSON array: Expected an Array of InlineQueryResult")
        if len(results) > INLINE_RESULTS:
            raise bad("RESULTS_TOO_MUCH")
        if len({each.get("id") for each in results}) < len(results):
            raise bad("RESULT_ID_DUPLICATE")
        next_offset = str(params.get("next_offset", ""))
        if len(next_offset.encode()) > OFFSET_BYTES:
            raise bad("NEXT_OFFSET_INVALID")
        answer = InlineAnswer(
            at=self.now(),
            articles=[_article(each) for each in results],
            next_offset=next_offset,
            cache_time=int(params.get("cache_time", 300)),
            is_personal=bool(params.get("is_personal", False)),
            button=_button(params.get("button")),
        )
        self._typed.discard(query_id)
        self.inline_answers[query_id] = answer
        self._answered.set()
        return True


def _article(result: Json) -> Article:
    if not 1 <= len(str(result.get("id", "")).encode()) <= RESULT_ID_BYTES:
        raise bad("RESULT_ID_INVALID")
    if result.get("type") != "article":
        raise bad("RESULT_TYPE_INVALID")
    if not result.get("title"):
        raise bad("ARTICLE_TITLE_EMPTY")
    if "reply_markup" in result:
        # Telegram takes it, but what is pressed there comes without a chat: nobody could be answered.
        raise bad("this stub takes no buttons below inline messages")
    content = result.get("input_message_content") or {}
    text, entities = content.get("message_text", ""), content.get("entities", [])
    if mode := content.get("parse_mode"):
        try:
            text, entities = parsed(text, mode)
        except ValueError as error:
            raise bad(f"can't parse inline query result: {error}") from error
    text, entities = trimmed(text, entities)
    if not text:
        raise bad("MESSAGE_EMPTY")
    if units(text) > TEXT_LIMIT or len(entities) > ENTITY_LIMIT:
        raise bad("MESSAGE_TOO_LONG")
    return Article(str(result["id"]), result["title"], result.get("description", ""), text, entities)


def _button(button: Json | None) -> tuple[str, str] | None:
    if not button:
        return None
    if not button.get("text"):
        raise bad("SWITCH_PM_TEXT_EMPTY")
    parameter = str(button.get("start_parameter", ""))
    if not re.fullmatch(r"[\w-]{1,64}", parameter, re.A):
        raise bad("START_PARAM_INVALID")
    return button["text"], parameter
