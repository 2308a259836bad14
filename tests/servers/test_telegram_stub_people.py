"""What the stub Bot API tells a bot of people, and takes from it while they type, as the real server does."""

from collections.abc import AsyncIterator

import pytest
from telegram import (
    Bot,
    BotCommand,
    BotCommandScopeAllPrivateChats,
    BotCommandScopeChat,
    InlineQueryResultArticle,
    InlineQueryResultsButton,
    InputTextMessageContent,
    Update,
)
from telegram.error import BadRequest
from telegram.request import HTTPXRequest

from tests.servers.telegram import TelegramStub

ADA, GROUP, CHANNEL = 7, -100, -200


@pytest.fixture
async def stub() -> AsyncIterator[TelegramStub]:
    async with TelegramStub() as stub:
        stub.add_user(ADA, "Ada", "zh-hans")
        stub.add_chat(GROUP, "supergroup", "Readers")
        stub.add_chat(CHANNEL, "channel", "News")
        stub.me["supports_inline_queries"] = True
        yield stub


@pytest.fixture
async def bot(stub: TelegramStub) -> AsyncIterator[Bot]:
    async with Bot(stub.token, base_url=stub.api_url, request=HTTPXRequest(read_timeout=0.5)) as bot:
        yield bot


async def told(bot: Bot) -> list[str]:
    updates = await bot.get_updates(allowed_updates=Update.ALL_TYPES)
    if updates:
        await bot.get_updates(updates[-1].update_id + 1)
    messages = (update.message or update.channel_post for update in updates)
    return [message.text or "" for message in messages if message]


async def test_in_privacy_mode_a_bot_is_told_what_is_meant_for_it(stub: TelegramStub, bot: Bot) -> None:
    shown = await bot.send_message(GROUP, "Hello")
    stub.say(GROUP, ADA, "hello")
    stub.say(GROUP, ADA, "/status")
    stub.say(GROUP, ADA, "/status@paperwire_test_bot now")
    stub.say(GROUP, ADA, "/status@another_bot")
    stub.say(GROUP, ADA, "thanks", answers=shown.message_id)
    stub.say(GROUP, ADA, "posted through it", via_bot=stub.me)
    stub.say(CHANNEL, ADA, "news")
    stub.say(ADA, ADA, "between us")
    assert await told(bot) == [
        *("/status", "/status@paperwire_test_bot now", "thanks", "posted through it", "news", "between us")
    ]


@pytest.mark.parametrize("is_admin", [True, False])
async def test_an_administrator_and_a_bot_without_privacy_mode_are_told_everything(
    stub: TelegramStub, bot: Bot, is_admin: bool
) -> None:
    if is_admin:
        stub.set_admin(GROUP, stub.me["id"])
    else:
        stub.me["can_read_all_group_messages"] = True
    stub.say(GROUP, ADA, "hello")
    assert await told(bot) == ["hello"]


async def test_what_is_typed_is_answered_once_with_articles(stub: TelegramStub, bot: Bot) -> None:
    query_id = stub.type_inline(ADA, "vision", "2")
    (update,) = await bot.get_updates()
    query = update.inline_query
    assert query is not None
    assert (query.id, query.query, query.offset, query.from_user.id) == (query_id, "vision", "2", ADA)
    content = InputTextMessageContent("<b>A</b> &amp; B", "HTML")
    button = InlineQueryResultsButton("Start", start_parameter="inline")
    articles = [InlineQueryResultArticle("1", "A", content, description="a")]
    await bot.answer_inline_query(query.id, articles, 300, True, "3", button=button)
    answer = await stub.inline_answer(query_id)
    (article,) = answer.articles
    assert (article.title, article.description, article.text) == ("A", "a", "A & B")
    assert [entity["type"] for entity in article.entities] == ["bold"]
    assert (answer.next_offset, answer.cache_time, answer.is_personal) == ("3", 300, True)
    assert answer.button == ("Start", "inline")
    with pytest.raises(BadRequest, match="too old"):
        await bot.answer_inline_query(query.id, articles)


def article(number: int = 1, text: str = "A", title: str = "A", mode: str | None = None) -> InlineQueryResultArticle:
    return InlineQueryResultArticle(str(number), title, InputTextMessageContent(text, mode))


@pytest.mark.parametrize(
    ("results", "more", "said"),
    [
        ([article(number) for number in range(51)], {}, "Results_too_much"),
        ([article(), article()], {}, "Result_id_duplicate"),
        ([article(title="")], {}, "Article_title_empty"),
        ([article(text="x" * 4_097)], {}, "Message_too_long"),
        ([article(text="<b>x", mode="HTML")], {}, "can't parse"),
        ([article()], {"next_offset": "x" * 65}, "Next_offset_invalid"),
        ([], {"button": InlineQueryResultsButton("Go", start_parameter="no spaces")}, "Start_param_invalid"),
    ],
)
async def test_answers_that_telegram_would_not_take_are_refused(
    stub: TelegramStub, bot: Bot, results: list[InlineQueryResultArticle], more: dict[str, object], said: str
) -> None:
    query_id = stub.type_inline(ADA, "vision")
    offset = {"next_offset": more["next_offset"]} if "next_offset" in more else {}
    results_json = [each.to_dict() for each in results]
    button = more.get("button")
    shown = {"button": button.to_dict()} if isinstance(button, InlineQueryResultsButton) else {}
    with pytest.raises(BadRequest, match=said):
        # The library would not let all of these leave.
        await bot.do_api_request(
            "answer_Inline_Query", {"inline_query_id": query_id, "results": results_json, **offset, **shown}
        )
    assert stub.inline_answers == {}


async def test_nobody_types_where_inline_mode_is_off(stub: TelegramStub) -> None:
    stub.me["supports_inline_queries"] = False
    with pytest.raises(ValueError, match="vision"):
        stub.type_inline(ADA, "vision")


async def test_commands_are_for_the_scopes_that_there_are(stub: TelegramStub, bot: Bot) -> None:
    await bot.set_my_commands([BotCommand("start", "Begin")], BotCommandScopeAllPrivateChats())
    await bot.set_my_commands([BotCommand("admin", "Run")], BotCommandScopeChat(ADA))
    assert set(stub.commands) == {("all_private_chats", ""), (f"chat:{ADA}", "")}
    with pytest.raises(BadRequest, match="scope"):
        await bot.do_api_request("set_My_Commands", {"commands": [], "scope": {"type": "everybody"}})
    with pytest.raises(BadRequest, match="language"):
        await bot.set_my_commands([BotCommand("start", "Begin")], language_code="zh-hans")
