"""Message catalogues: every text that a person reads, by key, in English and Simplified Chinese."""

from datetime import date
from functools import cache
from gettext import GNUTranslations
from io import BytesIO
from pathlib import Path
from typing import Literal

from babel.dates import format_date, format_datetime, get_day_names
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

CatalogueName = Literal["en", "zh"]


class Phrases:
    """One language's texts: `phrases("subscribe.done", query="cs.CL")`; `count` also chooses between one and many."""

    def __init__(self, name: CatalogueName, translations: GNUTranslations) -> None:
        self.name = name
        self._translations = translations

    def __call__(self, key: str, **values: object) -> str:
        """The text of a key with its values filled in.

        Raises KeyError when the catalogue has no such key.
        """
        count = values.get("count")
        text = self._translations.ngettext(key, key, count) if isinstance(count, int) else key
        if text == key:
            text = self._translations.gettext(key)
        if text == key:
            raise KeyError(key)
        return text.format(**values)

    def day(self, day: date) -> str:
        """A day with its weekday, as a sentence has it."""
        return format_date(day, "EEE d MMM" if self.name == "en" else "M月d日 EEE", locale=self.babel)

    def short_day(self, day: date) -> str:
        """The same without the weekday."""
        return format_date(day, "d MMM" if self.name == "en" else "M月d日", locale=self.babel)

    def weekday(self, day: int) -> str:
        """A weekday's short name; Monday is 0."""
        return str(get_day_names("abbreviated", locale=self.babel)[day])

    @property
    def babel(self) -> str:
        return "zh_Hans_CN" if self.name == "zh" else "en_GB"


@cache
def phrases_of(name: CatalogueName) -> Phrases:
    """A catalogue, read once."""
    with (Path(__file__).parent / f"{name}.po").open("rb") as file:
        compiled = BytesIO()
        write_mo(compiled, read_po(file, locale=name))
    compiled.seek(0)
    return Phrases(name, GNUTranslations(compiled))


__all__ = ["CatalogueName", "Phrases", "format_date", "format_datetime", "phrases_of"]
