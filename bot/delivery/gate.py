"""The gate: which of the chats in hand may send next, by the budget's slots and the platforms' wish for silence."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.chats import Chat, PlatformName
from bot.delivery.budget import Answered, Ask, Budget, Grant, Scope, place_of, scopes_of
from bot.delivery.port import Platform
from bot.delivery.turns import Turn, fairly

LONGEST_REST = timedelta(seconds=5)
"""A chat that its pace lets wait longer goes back to the outbox, so that it takes nobody's place."""
FLOODS_IN_A_ROW = 3
"""After so many waits that the platform asked for in different chats, all of it keeps silent."""
LONGEST_FLOOD = timedelta(minutes=1)
AHEAD = timedelta(milliseconds=100)
"""So long before its slot is free a message is claimed: the commit takes no time of the pace."""
_LEAST_ASKED, _MOST_ASKED = 4, 128


@dataclass(slots=True)
class Departures:
    """Whom the gate lets go: turns whose first message leaves, and messages that rest until their chat may go on."""

    leaving: list[Turn] = field(default_factory=list)
    resting: dict[int, datetime] = field(default_factory=dict)


class Gate:
    """Takes slots for whoever leaves, and gives them back when they were answered, each with the next choice."""

    def __init__(self, budget: Budget, platforms: Mapping[PlatformName, Platform]) -> None:
        self._budget = budget
        self._platforms = platforms
        self._given_back: defaultdict[PlatformName, list[Answered]] = defaultdict(list)
        self._silent: dict[PlatformName, datetime] = {}
        self._flooded: defaultdict[PlatformName, set[int]] = defaultdict(set)
        self._granted: dict[PlatformName, int] = {}

    def scopes(self, chat: Chat) -> tuple[Scope, ...]:
        """What a message to this chat takes slots of."""
        return scopes_of(chat, self._platforms[chat.platform].pace)

    def give_back(self, platform: PlatformName, answered: Answered) -> None:
        """A message was answered, or did not leave after all: its slots come back with the next choice."""
        self._given_back[platform].append(answered)

    def speaking(self, now: datetime) -> list[PlatformName]:
        """The platforms that want no silence."""
        self._silent = {name: until for name, until in self._silent.items() if until > now}
        return [name for name in self._platforms if name not in self._silent]

    @property
    def silences(self) -> Collection[datetime]:
        """When platforms that want silence may be spoken to again."""
        return self._silent.values()

    async def choose(self, turns: Collection[Turn], room: int, now: datetime) -> Departures:
        """Give back what was answered, and take slots for whoever waits, in fair order, so many at most."""
        departures = Departures()
        try:
            waiting = [turn for turn in turns if turn.may_go(now)] if room > 0 else []
            for name in self._platforms:
                ready = list(fairly([turn for turn in waiting if turn.chat.platform == name]))
                await self._choose(name, ready, room - len(departures.leaving), now, departures)
        except BaseException:
            self.turn_back(departures.leaving)
            raise
        if self._silent:
            self._send_home(turns, departures, now)
        return departures

    def turn_back(self, turns: Iterable[Turn]) -> None:
        """These were let go and have not left."""
        for turn in turns:
            self.give_back(turn.chat.platform, Answered(turn.scopes, turn.ready_at))

    async def _choose(
        self, name: PlatformName, ready: list[Turn], room: int, now: datetime, departures: Departures
    ) -> None:
        given_back = list(self._given_back[name])
        # As many as got their slots last time will probably do so again; whoever asks in vain asks for nothing.
        asked, granted = max(_LEAST_ASKED, min(self._granted.get(name, 0), _MOST_ASKED)), 0
        while given_back or (ready and room > 0):
            batch, ready = ready[: min(asked, max(room, 0))], ready[min(asked, max(room, 0)) :]
            asks = [Ask(turn.scopes, turn.queue[0].urgent) for turn in batch]
            grants = await self._budget.turn(given_back, asks, now, AHEAD)
            del self._given_back[name][: len(given_back)]
            given_back = []
            self._grant(zip(batch, grants, strict=True), now, departures)
            leaving = sum(grant.lacking is None for grant in grants)
            room, granted = room - leaving, granted + leaving
            asked = min(asked * 2, _MOST_ASKED)
            if silent := [grant.at for grant in grants if grant.lacking == name]:
                self._all_wait(name, ready, max(silent), now)
                ready = []
        self._granted[name] = granted

    def _grant(self, grants: Iterable[tuple[Turn, Grant]], now: datetime, departures: Departures) -> None:
        for turn, grant in grants:
            turn.ready_at = grant.at
            if grant.lacking is None:
                departures.leaving.append(turn)
            elif grant.lacking != turn.chat.platform and grant.at - now > LONGEST_REST:
                departures.resting[turn.queue[0].id] = grant.at
                turn.queue.clear()

    def _all_wait(self, name: PlatformName, ready: Sequence[Turn], until: datetime, now: datetime) -> None:
        """The platform has no slot, so nobody need ask. A long wait is a silence."""
        for turn in ready:
            turn.ready_at = until
        if until - now > LONGEST_REST:
            self._silent[name] = until

    def _send_home(self, turns: Iterable[Turn], departures: Departures, now: datetime) -> None:
        """In a silence the chats of a platform go back to the outbox."""
        speaking = set(self.speaking(now))
        leaving = {turn.chat.id for turn in departures.leaving}
        for turn in turns:
            if turn.chat.platform not in speaking and not turn.in_flight and turn.chat.id not in leaving:
                turn.queue.clear()

    def heard(self, platform: PlatformName) -> None:
        """The platform took something, so it wants no silence of all."""
        self._flooded[platform].clear()

    def silence(self, chat: Chat, until: datetime, *, is_all: bool, now: datetime) -> tuple[str, datetime]:
        """In which scope a platform wants silence, and until when. Asked of several chats in a row it is meant for all.

        How long for all is not said then, so it is tried again after a short while.
        """
        flooded = self._flooded[chat.platform]
        if is_all:
            return chat.platform, until
        flooded.add(chat.id)
        if len(flooded) >= FLOODS_IN_A_ROW:
            return chat.platform, min(until, now + LONGEST_FLOOD)
        return place_of(chat), until
