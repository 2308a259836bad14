"""/help by subject: what can be said about one thing, with examples."""

from bot.cards.reply import Button, Reply
from bot.locales import Phrases, phrases_of

SUBJECTS = ("following", "query", "reading", "keeping", "settings")
"""What `/help` explains further, in the order of its buttons."""

_LONGEST = 40


def about(subject: str, phrases: Phrases) -> Reply | None:
    """What there is to know of a subject, by its name in either language; None where there is no such subject."""
    wanted = subject.strip().lower()[:_LONGEST]
    for name in SUBJECTS:
        names = (name, *(phrases_of(language)(f"help.{name}.title").lower() for language in ("en", "zh")))
        if wanted in names:
            return Reply(phrases(f"help.{name}"), title=phrases(f"help.{name}.title"), buttons=buttons(phrases, name))
    return None


def buttons(phrases: Phrases, shown: str = "") -> tuple[Button, ...]:
    """To the subjects, but for the one that is shown."""
    return tuple(Button(phrases(f"help.{name}.title"), f"help:{name}") for name in SUBJECTS if name != shown)
