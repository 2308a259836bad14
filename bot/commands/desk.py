"""The desk: takes what came in to the command it names, if its sender may give it."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import structlog
from sqlalchemy.exc import SQLAlchemyError

from bot.cards.reply import Reply
from bot.chats import Chat
from bot.commands import (
    access,
    completing,
    forgetting,
    inline,
    links,
    moving,
    pausing,
    previewing,
    queries,
    reading,
    returning,
    saving,
    searching,
    settings,
    status,
    subscribing,
    why,
)
from bot.commands.context import Context, Services, spoken
from bot.commands.offers import Choice, Results
from bot.commands.request import LONGEST_TEXT, Incoming, Permission, longest
from bot.locales import phrases_of
from bot.papers import find_paper_ids
from bot.storage import chats

log = structlog.get_logger(__name__)

Run = Callable[[Context], Awaitable[Reply | None]]


@dataclass(frozen=True, slots=True)
class Command:
    """Something that can be said. `takes`: its argument's name, if it has one.

    `free_to_read`: without an argument it only shows something, so anyone may give it. `takes_file`: a file, too.
    """

    name: str
    run: Run
    permission: Permission = Permission.ANYONE
    takes: str = ""
    free_to_read: bool = False
    before_access: bool = False
    takes_file: bool = False

    @property
    def is_for_everyone(self) -> bool:
        """Whether people who are no administrators have any use for it."""
        return self.permission is Permission.ANYONE or self.free_to_read


async def help_(context: Context) -> Reply:
    """What can be said, a command a line; `/help query` explains queries."""
    phrases = context.phrases
    if context.argument.lower() in ("query", "queries"):
        return Reply(phrases("help.query"), title=phrases("help.query_title"))
    lines = [f"/{each.name} – {phrases(f'command.{each.name}')}" for each in COMMANDS]
    return Reply("\n".join([*lines, "", phrases("help.more")]), title=phrases("help.title"))


COMMANDS = (
    Command("start", access.start, takes="code", before_access=True),
    Command("help", help_, takes="subject", before_access=True),
    Command("subscribe", subscribing.subscribe, Permission.ADMIN, takes="query"),
    Command("unsubscribe", subscribing.unsubscribe, Permission.ADMIN, takes="query", free_to_read=True),
    Command("subscriptions", subscribing.subscriptions),
    Command("preview", previewing.preview, takes="query"),
    Command("topics", queries.list_topics),
    Command("digest", reading.digest),
    Command("paper", reading.paper, takes="paper"),
    Command("why", why.why, takes="paper"),
    Command("search", searching.find, takes="query"),
    Command("save", saving.save, takes="paper"),
    Command("unsave", saving.unsave, takes="paper"),
    Command("saved", saving.show_saved, takes="export"),
    Command("settings", settings.settings, Permission.ADMIN, takes="setting", free_to_read=True),
    Command("status", status.status),
    Command("pause", pausing.pause, Permission.ADMIN, takes="duration"),
    Command("resume", pausing.resume, Permission.ADMIN),
    Command("export", moving.export),
    Command("import", moving.import_, Permission.ADMIN, takes="text", free_to_read=True, takes_file=True),
    Command("forget", forgetting.forget, Permission.ADMIN),
)
"""Every command, in the order in which `/help` tells them."""

ACTIONS = (
    Command("abstract", reading.abstract),
    Command("paper", reading.in_message),
    Command("more", reading.more),
    Command("save", saving.save),
    Command("saved", saving.turn),
    Command("unsave", saving.remove),
    Command("bibtex", saving.show_bibtex),
    Command("find", searching.turn),
    Command("anew", reading.anew, Permission.ADMIN),
    Command("subscribe", subscribing.subscribe, Permission.ADMIN),
    Command("set", settings.pressed, Permission.ADMIN),
    Command("return", returning.choose, Permission.ADMIN),
    Command("export", moving.export),
    Command("import", moving.choose, Permission.ADMIN),
    Command("forget", forgetting.choose, Permission.ADMIN),
    Command("restored", returning.choose_after_restore, Permission.OPERATOR),
    Command("allow", access.allow, Permission.OPERATOR),
    Command("deny", access.deny, Permission.OPERATOR),
)
"""What buttons do, by the verb of their action."""

_COMMANDS = {command.name: command for command in COMMANDS}
_ACTIONS = {command.name: command for command in ACTIONS}


class Desk:
    """Answers people. One Reply for one thing said; None where nothing is to be said."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def answer(self, incoming: Incoming) -> Reply | None:
        """Do what was asked; trouble of ours is told in one line and logged, never raised."""
        try:
            return await (self._overheard(incoming) if incoming.overheard else self._answer(incoming))
        except Exception as error:
            if incoming.overheard:
                log.exception("links.failed")
                return None
            log.exception("command.failed", text=incoming.text[:40], action=incoming.action[:40])
            phrases = phrases_of(spoken("both", incoming.sender.language))
            return Reply(phrases("error.disk" if isinstance(error, SQLAlchemyError) else "error.ours"))

    async def _answer(self, incoming: Incoming) -> Reply | None:
        command, argument = self._parse(incoming)
        if command is None and incoming.is_group:
            return None
        context = await self._context(incoming, argument)
        if len(incoming.text) > (most := longest(incoming.text)):
            return context.says("error.too_long", count=most)
        if command is None:
            return context.says("error.unknown_command")
        if context.chat.access != "allowed" and not command.before_access:
            return await access.ask_for_access(context)
        refusal = await self._refusal(command, context)
        return refusal or await command.run(context)

    async def results(self, incoming: Incoming, page: str = "") -> Results:
        """The papers that somebody looks up while they type; `incoming` is from their private chat."""
        try:
            return await inline.results(await self._glance(incoming, incoming.text.strip()), page)
        except Exception:
            log.exception("inline.failed", text=incoming.text[:40])
            return Results(hint=phrases_of(spoken("both", incoming.sender.language))("inline.busy"))

    async def choices(self, incoming: Incoming, command: str) -> list[Choice]:
        """What can stand in a command's argument, of which `incoming` has what was typed; none where a chat waits."""
        try:
            context = await self._glance(incoming, incoming.text[:LONGEST_TEXT])
            return await completing.choices(context, command) if context.chat.access == "allowed" else []
        except Exception:
            log.exception("choices.failed", command=command, text=incoming.text[:40])
            return []

    async def _overheard(self, incoming: Incoming) -> Reply | None:
        return await links.answer(await self._glance(incoming), incoming.text)

    async def _glance(self, incoming: Incoming, argument: str = "") -> Context:
        """The context of something that makes no chat known, and brings none back that was given up."""
        services = self._services
        async with services.database.read() as connection:
            chat = await chats.find(connection, incoming.platform, incoming.address)
            if chat is None:
                access_ = await access.first_access(connection, services, incoming)
                preferences = services.settings.digest.preferences
                chat = Chat(
                    *(0, incoming.platform, incoming.address, incoming.title, incoming.is_group, preferences, access_)
                )
        is_operator = await access.is_operator(services, incoming)
        now = services.clock.now()
        return Context(services, chat, incoming.sender, is_operator, argument, now, place=incoming.place)

    async def _welcome_back(self, chat: Chat) -> Chat:
        """A chat that was given up comes back by itself when somebody speaks there; it is asked how to go on."""
        services = self._services
        question = await returning.welcome_back(services, chat)
        if question is not None:
            await services.tell(chat, f"return-{chat.id}-{services.clock.now():%Y%m%d%H%M%S}", question, urgent=True)
        return replace(chat, inactive_because=None, inactive_since=None, shut=0)

    async def _context(self, incoming: Incoming, argument: str) -> Context:
        services, now = self._services, self._services.clock.now()
        chat = await self._meet(incoming)
        is_operator = await access.is_operator(services, incoming)
        return Context(services, chat, incoming.sender, is_operator, argument, now, incoming.file, incoming.place)

    async def _meet(self, incoming: Incoming) -> Chat:
        """The chat, as it is kept."""
        async with self._services.database.read() as connection:
            chat = await chats.find(connection, incoming.platform, incoming.address)
        if chat is not None:
            return chat if chat.inactive_because is None else await self._welcome_back(chat)
        async with self._services.database.write() as connection:
            return await chats.meet(
                connection,
                incoming.platform,
                incoming.address,
                title=incoming.title,
                is_group=incoming.is_group,
                access=await access.first_access(connection, self._services, incoming),
                preferences=self._services.settings.digest.preferences,
                now=self._services.clock.now(),
            )

    def _parse(self, incoming: Incoming) -> tuple[Command | None, str]:
        if incoming.action:
            verb, _, argument = incoming.action.partition(":")
            return _ACTIONS.get(verb), argument
        match = re.match(r"\s*/(\w+)(?:\s+(.*))?$", incoming.text, re.S)
        if match:
            return _COMMANDS.get(match[1].lower()), (match[2] or "").strip()
        if not incoming.is_group and next(find_paper_ids(incoming.text), None):
            return _COMMANDS["paper"], incoming.text
        return None, ""

    async def _refusal(self, command: Command, context: Context) -> Reply | None:
        if context.is_operator or command.permission is Permission.ANYONE:
            return None
        if command.permission is Permission.OPERATOR:
            return context.says("error.operators_only")
        if command.free_to_read and not context.argument and context.file is None:
            return None
        return None if await context.sender.is_admin() else context.says("error.admins_only")
