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
    admin,
    banning,
    channel,
    choices,
    completing,
    forgetting,
    helping,
    hiding,
    inline,
    instant,
    links,
    moving,
    paging,
    pausing,
    previewing,
    queries,
    reading,
    returning,
    saving,
    searching,
    settings,
    similar,
    status,
    subscribing,
    voting,
    why,
)
from bot.commands.context import Context, Services, spoken
from bot.commands.flood import Flood, Rate, Verdict, slow_down
from bot.commands.offers import Choice, Results
from bot.commands.request import LONGEST_TEXT, Incoming, NotReachedError, Permission, always, longest
from bot.locales import phrases_of
from bot.papers import find_paper_ids
from bot.storage import bans, chats

log = structlog.get_logger(__name__)

Run = Callable[[Context], Awaitable[Reply | None]]


@dataclass(frozen=True, slots=True)
class Command:
    """Something that can be said. `takes`: its argument's name, if it has one.

    `free_to_read`: without an argument it only shows something, so anyone may give it. `takes_file`: a file, too.
    `of_chat`: it is about the chat, so in a private chat from which a channel is set up it is about the channel.
    """

    name: str
    run: Run
    permission: Permission = Permission.ANYONE
    takes: str = ""
    free_to_read: bool = False
    before_access: bool = False
    takes_file: bool = False
    of_chat: bool = False

    @property
    def is_for_everyone(self) -> bool:
        """Whether people who are no administrators have any use for it."""
        return self.permission is Permission.ANYONE or self.free_to_read


async def help_(context: Context) -> Reply:
    """What can be said, a command a line; or, as in `/help query`, more about one subject."""
    phrases = context.phrases
    if context.argument and (found := helping.about(context.argument, phrases)):
        return found
    shown = COMMANDS if context.is_operator else COMMON
    lines = [f"/{each.name} – {phrases(f'command.{each.name}')}" for each in shown]
    text = "\n".join([*lines, "", phrases("help.more")])
    return Reply(text, title=phrases("help.title"), buttons=helping.buttons(phrases))


async def turn_help(context: Context) -> Reply:
    """The same by a button, in place of what it stands under."""
    return replace(await help_(context), in_place=True)


COMMANDS = (
    Command("start", access.start, takes="code", before_access=True),
    Command("help", help_, takes="subject", before_access=True),
    Command("subscribe", subscribing.subscribe, Permission.ADMIN, takes="query", of_chat=True),
    Command("unsubscribe", subscribing.unsubscribe, Permission.ADMIN, takes="query", free_to_read=True, of_chat=True),
    Command("subscriptions", subscribing.subscriptions, of_chat=True),
    Command("alert", instant.alert, Permission.ADMIN, takes="alert", free_to_read=True, of_chat=True),
    Command("preview", previewing.preview, takes="query", of_chat=True),
    Command("topics", queries.list_topics),
    Command("digest", reading.digest, of_chat=True),
    Command("paper", reading.paper, takes="paper"),
    Command("why", why.why, takes="paper", of_chat=True),
    Command("search", searching.find, takes="query"),
    Command("save", saving.save, takes="paper"),
    Command("unsave", saving.unsave, takes="paper"),
    Command("saved", saving.show_saved, takes="export"),
    Command("settings", settings.settings, Permission.ADMIN, takes="setting", free_to_read=True, of_chat=True),
    Command("status", status.status, of_chat=True),
    Command("pause", pausing.pause, Permission.ADMIN, takes="duration", of_chat=True),
    Command("resume", pausing.resume, Permission.ADMIN, of_chat=True),
    Command("export", moving.export, of_chat=True),
    Command("import", moving.import_, Permission.ADMIN, takes="text", free_to_read=True, takes_file=True, of_chat=True),
    Command("forget", forgetting.forget, Permission.ADMIN),
    Command("channel", channel.channel, takes="channel"),
    Command("admin", admin.admin, Permission.OPERATOR, takes="action"),
)
"""Every command, in the order in which `/help` tells them."""

COMMON = tuple(command for command in COMMANDS if command.permission is not Permission.OPERATOR)
"""Those that are not for operators alone."""

ACTIONS = (
    Command("help", turn_help, before_access=True),
    Command("abstract", reading.abstract),
    Command("paper", reading.in_message),
    Command("more", reading.more, of_chat=True),
    Command("page", paging.turn, of_chat=True),
    Command("card", choices.open_choices),
    Command("like", similar.find),
    Command("hide", hiding.offer, Permission.ADMIN, of_chat=True),
    Command("exclude", hiding.exclude, Permission.ADMIN, of_chat=True),
    Command("unhide", hiding.unhide, Permission.ADMIN, of_chat=True),
    Command("vote", voting.vote),
    Command("save", saving.press_save),
    Command("saved", saving.turn),
    Command("unsave", saving.remove),
    Command("bibtex", saving.show_bibtex),
    Command("find", searching.turn),
    Command("anew", reading.anew, Permission.ADMIN),
    Command("subscribe", subscribing.subscribe, Permission.ADMIN, of_chat=True),
    Command("alert", instant.pressed, Permission.ADMIN, of_chat=True),
    Command("set", settings.pressed, Permission.ADMIN, of_chat=True),
    Command("drop", subscribing.drop, Permission.ADMIN, of_chat=True),
    Command("undo", subscribing.undo, Permission.ADMIN, of_chat=True),
    Command("return", returning.choose, Permission.ADMIN, of_chat=True),
    Command("export", moving.export, of_chat=True),
    Command("import", moving.choose, Permission.ADMIN, of_chat=True),
    Command("forget", forgetting.choose, Permission.ADMIN),
    Command("restored", returning.choose_after_restore, Permission.OPERATOR),
    Command("admin", admin.pressed, Permission.OPERATOR),
    Command("allow", access.allow, Permission.OPERATOR),
    Command("deny", access.deny, Permission.OPERATOR),
)
"""What buttons do, by the verb of their action."""

_COMMANDS = {command.name: command for command in COMMANDS}
_ACTIONS = {command.name: command for command in ACTIONS}


class Desk:
    """Answers people. One Reply for one thing said; None where nothing is to be said."""

    def __init__(self, services: Services, rate: Rate | None = None) -> None:
        self._services = services
        self._flood = Flood(rate or Rate())

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
        incoming, channel_id = channel.unlabelled(incoming)
        command, argument = self._parse(incoming)
        if command is None and incoming.is_group:
            return None
        now = self._services.clock.now()
        verdict, until = self._flood.hear(incoming, now)
        if verdict is Verdict.IGNORE:
            return None
        standing = await access.standing(self._services, incoming)
        if standing.ban is not None:
            return await banning.farewell(self._services, standing.ban, incoming)
        context = await self._context(incoming, argument, is_operator=standing.is_operator)
        if standing.is_operator:
            self._flood.exempt(incoming, now)
        elif verdict is Verdict.WARN:
            log.warning("flood.slowed", platform=incoming.platform, sender=incoming.sender.id, chat=context.chat.id)
            return slow_down(context, until)
        return await self._act(command, context, incoming, channel_id)

    async def _act(
        self, command: Command | None, context: Context, incoming: Incoming, channel_id: int | None
    ) -> Reply | None:
        """Do a command in its chat, or in the channel that is set up from there. `channel_id`: a button's."""
        if len(incoming.text) > (most := longest(incoming.text)):
            return context.says("error.too_long", count=most)
        if command is None:
            return context.says("error.unknown_command")
        is_about_chat = command.of_chat or command.name == "forget"
        chosen = await channel.current_of(context) if incoming.reach is not None and is_about_chat else None
        if channel_id is not None and (chosen is None or chosen.id != channel_id):
            return context.says("channel.over")
        # A button acts where it was shown: below an answer for the channel, or for the private chat itself.
        if chosen is not None and (channel_id is not None or not incoming.action):
            return await self._do_for_channel(command, context, incoming, chosen)
        return await self._do(command, context, incoming)

    async def _do(self, command: Command, context: Context, incoming: Incoming) -> Reply | None:
        if context.chat.access == "waiting":
            context = replace(context, chat=await access.let_in(context.services, context.chat))
        is_operators = command.permission is Permission.OPERATOR and context.is_operator
        if context.chat.access != "allowed" and not (command.before_access or is_operators):
            return await access.ask_for_access(context)
        if refusal := await self._refusal(command, context):
            return replace(refusal, is_aside=bool(incoming.action))
        return await command.run(context)

    async def _do_for_channel(
        self, command: Command, context: Context, incoming: Incoming, chosen: Chat
    ) -> Reply | None:
        """What is said in a private chat from which a channel is set up, done there, if both still may."""
        if command.name == "forget":
            return context.says("channel.forget", title=channel.short(chosen))
        assert incoming.reach is not None
        try:
            place = await incoming.reach(chosen.place)
        except NotReachedError as error:
            return context.says(f"channel.{error.why}", title=channel.short(chosen))
        sender = replace(incoming.sender, is_admin=always)
        there = replace(incoming, address=chosen.address, title=place.title, is_group=True, sender=sender, reach=None)
        context_there = await self._context(there, context.argument, is_operator=context.is_operator)
        reply = await self._do(command, context_there, there)
        await channel.stay(context, chosen)
        return channel.labelled(reply, chosen, context.phrases("channel.sent"))

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
        services, now = self._services, self._services.clock.now()
        standing = await access.standing(services, incoming)
        chat = await access.glance(services, incoming, is_banned=standing.ban is not None)
        return Context(services, chat, incoming.sender, standing.is_operator, argument, now, venue=incoming.venue)

    async def _welcome_back(self, chat: Chat) -> Chat:
        """A chat that was given up comes back by itself when somebody speaks there; it is asked how to go on."""
        services = self._services
        question = await returning.welcome_back(services, chat)
        if question is not None:
            await services.tell(chat, f"return-{chat.id}-{services.clock.now():%Y%m%d%H%M%S}", question, urgent=True)
        return replace(chat, inactive_because=None, inactive_since=None, shut=0)

    async def _context(self, incoming: Incoming, argument: str, *, is_operator: bool) -> Context:
        services, now = self._services, self._services.clock.now()
        chat = await self._meet(incoming)
        further = incoming.file, incoming.reach, incoming.venue
        return Context(services, chat, incoming.sender, is_operator, argument, now, *further)

    async def _meet(self, incoming: Incoming) -> Chat:
        """The chat, as it is kept."""
        is_private = not incoming.is_group and incoming.platform != "web"
        person = incoming.sender.id if is_private else None
        async with self._services.database.read() as connection:
            chat = await chats.find(connection, incoming.platform, incoming.address)
        if chat is None:
            return await access.meet(
                self._services,
                incoming.platform,
                incoming.address,
                incoming.title,
                is_group=incoming.is_group,
                person_id=person,
            )
        if person is not None and chat.person_id is None:
            async with self._services.database.write() as connection:
                await bans.belongs_to(connection, chat, person)
        return chat if chat.inactive_because is None else await self._welcome_back(chat)

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
