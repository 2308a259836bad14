"""Some at a time: neither a statement nor the event loop takes thousands at once."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def slices(items: Sequence[T], most: int) -> Iterator[Sequence[T]]:
    """So many of them at a time."""
    return (items[start : start + most] for start in range(0, len(items), most))
