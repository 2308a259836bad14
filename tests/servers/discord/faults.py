"""Bad days: failures on order, and failures at random."""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

from .limits import ALL_FAULTS

SENDING = r"POST /channels/\d+/messages"
"""The "METHOD /path" of a message that is sent."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to one request."""

    kind: int | str
    retry_after: float = 1.0
    stall: float | None = None


class Faults:
    """What is to go wrong with which request."""

    def __init__(self) -> None:
        self._ordered: list[tuple[Fault, re.Pattern[str]]] = []
        self._rate = 0.0

    def order(self, fault: Fault, times: int, on: str) -> None:
        self._ordered += [(fault, re.compile(on))] * times

    def misbehave(
        self,
        rate: float = 0.2,
        seed: int = 1,
        kinds: Sequence[int | str] = ALL_FAULTS,
        on: str = SENDING,
        retry_after: float = 0.05,
        stall: float | None = 0.5,
    ) -> None:
        """Let this share of the requests whose "METHOD /path" matches `on` fail, each with a random one of `kinds`.

        The same requests in the same order fail alike with the same `seed`. A stalled request is broken off after
        `stall` real seconds, or never; a rate 0 ends it.
        """
        self._rate = rate
        self._random = random.Random(seed)
        self._faults = [Fault(kind, retry_after, stall) for kind in kinds]
        self._at = re.compile(on)

    def of(self, call: str) -> Fault | None:
        """The fault of a request: what was ordered comes first."""
        for position, (fault, at) in enumerate(self._ordered):
            if at.fullmatch(call):
                del self._ordered[position]
                return fault
        if self._rate and self._at.fullmatch(call) and self._random.random() < self._rate:
            return self._random.choice(self._faults)
        return None
