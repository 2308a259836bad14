"""Completing: what can stand in a command's argument, offered while somebody types it."""

from collections.abc import Iterable, Iterator

from bot import taxonomy
from bot.commands.context import Context
from bot.commands.helping import SUBJECTS
from bot.commands.offers import CHOICE_LENGTH, CHOICES, Choice
from bot.commands.queries import topic_name
from bot.commands.settings import SETTINGS
from bot.interests import topics
from bot.locales import Phrases
from bot.storage import chats

COMPLETED = ("subscribe", "preview", "search", "unsubscribe", "alert", "settings", "help")
"""The commands for whose arguments there are choices."""
_OPERATORS = "+-("
"""Signs behind which a category may stand without a blank."""


async def choices(context: Context, name: str) -> list[Choice]:
    """The choices for the argument of the command of this name, of which `context.argument` was typed so far."""
    typed = context.argument
    match name:
        case "subscribe" | "preview" | "search":
            return _short(_query(typed, context.phrases))
        case "unsubscribe" | "alert":
            return _short(await _followed(context, typed))
        case "settings":
            return _short(_setting(context, typed))
        case "help":
            titles = {name: context.phrases(f"help.{name}.title") for name in SUBJECTS}
            return _short(
                Choice(title, name) for name, title in titles.items() if typed.lower() in (name + title).lower()
            )
        case _:
            return []


def _subject(context: Context, typed: str) -> Iterator[Choice]:
    for name in SUBJECTS:
        title = context.phrases(f"help.{name}.title")
        if typed in f"{name} {title}".lower():
            yield Choice(title, name)


def _short(found: Iterable[Choice]) -> list[Choice]:
    """As many as there may be; a value that is too long is left out, a label cut."""
    kept: dict[str, Choice] = {}
    for each in found:
        if len(kept) == CHOICES:
            break
        if 0 < len(each.value) <= CHOICE_LENGTH:
            label = each.label if len(each.label) <= CHOICE_LENGTH else each.label[: CHOICE_LENGTH - 1] + "…"
            kept.setdefault(each.value, Choice(label, each.value))
    return list(kept.values())


def _query(typed: str, phrases: Phrases) -> Iterator[Choice]:
    """The query as it is, unless its last word is one already; then with that as a category or a topic."""
    start = max(typed.rfind(sign) for sign in (" ", "　", *_OPERATORS)) + 1
    before, word = typed[:start], typed[start:]
    named = list(_named(word.lower(), phrases))
    if typed.strip() and word not in dict(named):
        yield Choice(typed.strip(), typed.strip())
    for code, label in named:
        yield Choice(f"{before}{label}", f"{before}{code}")


def _named(word: str, phrases: Phrases) -> Iterator[tuple[str, str]]:
    """Categories and topics with what they are called, those that begin like the word first."""
    is_topic, bare = word.startswith("#"), word.removeprefix("#")
    found = [] if is_topic else [(code, f"{code} · {name}") for code, name in taxonomy.categories().items()]
    found += [(f"#{slug}", f"#{slug} · {topic_name(slug, phrases)}") for slug in topics()]
    known_as = {f"#{slug}": f"{topic.en} {topic.zh}" for slug, topic in topics().items()}

    def rank(code: str, label: str) -> int | None:
        names = f"{label} {known_as.get(code, '')}".lower()
        if code.lower().removeprefix("#").startswith(bare):
            return 0
        return 1 if bare in names else None

    ranked = [(place, code, label) for code, label in found if (place := rank(code, label)) is not None]
    yield from ((code, label) for _, code, label in sorted(ranked, key=lambda each: each[0]))


async def _followed(context: Context, typed: str) -> list[Choice]:
    async with context.services.database.read() as connection:
        followed = await chats.subscriptions_of(connection, context.chat.id)
    queries = [str(each.interest) for each in followed]
    return [Choice(query, query) for query in queries if typed.lower().strip() in query.lower()]


def _setting(context: Context, typed: str) -> Iterator[Choice]:
    """The names of the settings; behind a name, its usual values."""
    name, blank, value = typed.lower().lstrip().partition(" ")
    for known, setting in SETTINGS.items():
        if not setting.fits(context.chat):
            continue
        label = f"{known} · {context.phrases(f'setting.{known}')}"
        if blank and known == name:
            if value.strip():
                yield Choice(typed.strip(), typed.strip())
            usual = (f"{known} {each}" for each in setting.choices if value in each.lower())
            yield from (Choice(each, each) for each in usual)
        elif not blank and name in label.lower():
            yield Choice(label, known)
