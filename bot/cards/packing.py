"""Packing: an ordered row of parts into as few messages as the limits allow, never cut inside a part."""

from collections.abc import Callable, Collection, Iterable
from typing import TypeVar

Part = TypeVar("Part")
Size = tuple[int, ...]
"""How much of each limit a part takes, such as (characters, entities, buttons)."""


def pack(parts: Iterable[Part], size: Callable[[Part], Size], limit: Size) -> list[list[Part]]:
    """Fill message after message in order: with a fixed order nothing packs tighter.

    A part larger than the limit gets a message of its own; whoever renders it has to shorten it.
    """
    messages: list[list[Part]] = []
    room = limit
    for part in parts:
        need = size(part)
        if messages and all(left >= more for left, more in zip(room, need, strict=True)):
            messages[-1].append(part)
        else:
            messages.append([part])
            room = limit
        room = tuple(left - more for left, more in zip(room, need, strict=True))
    return messages


def share(sizes: Collection[int], limit: int) -> int:
    """The most that each may take so that all fit together: what the small ones leave is for the large ones."""
    left = limit
    for others, size in zip(range(len(sizes), 0, -1), sorted(sizes), strict=True):
        if size * others > left:
            return max(0, left // others)
        left -= size
    return limit


def utf16_length(text: str) -> int:
    """Length in UTF-16 units, which is how Telegram counts."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
