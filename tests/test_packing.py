"""Packing: nothing lost, order kept, limits kept, as few messages as can be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.cards.packing import Size, pack, share, utf16_length

LIMIT = (10, 4)

sizes = st.lists(st.tuples(st.integers(0, 14), st.integers(0, 5)), max_size=25)


def itself(part: Size) -> Size:
    return part


def fits(message: list[Size]) -> bool:
    return all(sum(column) <= most for column, most in zip(zip(*message, strict=True), LIMIT, strict=True))


def fewest(parts: list[Size]) -> int:
    """The least number of messages, found by trying every place to cut."""
    best = [0]
    for end in range(1, len(parts) + 1):
        starts = [start for start in range(end) if start == end - 1 or fits(parts[start:end])]
        best.append(min(best[start] + 1 for start in starts))
    return best[-1]


@given(sizes)
def test_every_part_is_in_one_message_and_in_its_place(parts: list[Size]) -> None:
    assert [part for message in pack(parts, itself, LIMIT) for part in message] == parts


@given(sizes)
def test_only_a_part_that_is_too_large_by_itself_breaks_a_limit(parts: list[Size]) -> None:
    assert all(fits(message) or len(message) == 1 for message in pack(parts, itself, LIMIT))


@given(sizes)
def test_nothing_packs_into_fewer_messages(parts: list[Size]) -> None:
    assert len(pack(parts, itself, LIMIT)) == fewest(parts)


def test_nothing_makes_no_message() -> None:
    assert pack([], itself, LIMIT) == []


@given(st.text())
def test_length_is_counted_as_telegram_does(text: str) -> None:
    assert utf16_length(text) == len(text.encode("utf-16-le", "surrogatepass")) // 2


def test_an_emoji_counts_twice() -> None:
    assert utf16_length("中文 ✍️ 🤖") == 8


@pytest.mark.parametrize(
    ("sizes", "limit", "most"),
    [([10, 20], 40, 40), ([10, 20, 30], 40, 15), ([5, 50, 50], 45, 20), ([9, 9], 6, 3), ([], 7, 7), ([4], 0, 0)],
)
def test_what_small_parts_leave_is_for_the_large_ones(sizes: list[int], limit: int, most: int) -> None:
    assert share(sizes, limit) == most
    assert sum(min(size, most) for size in sizes) <= limit
