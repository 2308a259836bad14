"""Offers: what people are shown while they still type: results of a search, and choices for an argument."""

from dataclasses import dataclass

from bot.cards.reply import Card

CHOICES, CHOICE_LENGTH = 25, 100
"""How many choices there are at most, and characters of each: what Discord takes."""


@dataclass(frozen=True, slots=True)
class Result:
    """A paper that can be posted: how it is listed, and the card that is posted."""

    title: str
    about: str
    card: Card


@dataclass(frozen=True, slots=True)
class Results:
    """A page of results. `following`: the next page, or nothing. `hint`: what to say instead of results or above them;
    pressed, it leads to the chat with the bot. `lasting`: whether the same question has the same answer for a while.
    """

    results: tuple[Result, ...] = ()
    following: str = ""
    hint: str = ""
    lasting: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """Something to choose: what people see, and the argument that it stands for."""

    label: str
    value: str
