"""Queries as people meet them: how a mistake is answered, what a query means, and where it looks."""

from collections.abc import Sequence

from bot import taxonomy
from bot.cards.reply import Button, Reply
from bot.commands.context import Context
from bot.interests import BadQuery, Interest, find_topic, topics
from bot.interests.parse import DEEPEST, LONGEST_QUERY
from bot.interests.terms import Named, Words, walk
from bot.locales import Phrases

_QUOTED = 40
_AROUND = 30
"""Characters of a query that are shown on either side of a mistake."""
LONGEST_ACTION = 60
"""Bytes of a Button's action."""
_NAMED = 6
"""Categories that are spelt out; of more their number is said."""


def mend(context: Context, error: BadQuery) -> Reply:
    """Where a query stops making sense, and how to mend it."""
    phrases = context.phrases
    if error.problem == "empty":
        return context.says("subscribe.how")
    limit = {"too_long": LONGEST_QUERY, "too_deep": DEEPEST}.get(error.problem)
    said = phrases(f"query.{error.problem}", wrong=_short(error.word), limit=limit)
    meant = [f"• {code} · {taxonomy.categories()[code]}" for code in error.near]
    meant += [f"• #{topic.slug} · {topic_name(topic.slug, phrases)}" for topic in error.topics]
    lines = [said, _marked(error)]
    if meant:
        lines += [phrases("query.meant"), *meant]
    if error.problem == "category":
        lines.append(phrases("query.as_word", wrong=_short(error.word)))
    lines.append(phrases("query.more"))
    return Reply("\n".join(filter(None, lines)))


def _marked(error: BadQuery) -> str:
    """The query around the mistake, with a hand that points at it; nothing where the whole is meant."""
    if error.problem in ("too_long", "too_many", "only_not") or len(error.text) <= len(error.word):
        return ""
    before, after = error.text[: error.position], error.text[error.position :]
    start = f"…{before[-_AROUND:]}" if len(before) > _AROUND else before
    end = f"{after[:_AROUND]}…" if len(after) > _AROUND else after
    return f"{start} 👉 {end}".strip()


def meaning(interest: Interest, phrases: Phrases) -> str:
    """The names of the topics and categories of a query, for those who do not know its words by heart."""
    named = [topic_name(term.slug, phrases) for term in walk(interest.term) if isinstance(term, Named)]
    known = taxonomy.categories()
    categories = [known.get(code, code) for code in interest.wanted] if not named else []
    return ", ".join([*named, *categories[:_NAMED], *(["…"] if len(categories) > _NAMED else [])])


def named(interest: Interest, phrases: Phrases) -> str:
    """A query with the names of what is in it."""
    names = meaning(interest, phrases)
    return phrases("query.named", query=interest, names=names) if names else str(interest)


def topic_name(slug: str, phrases: Phrases) -> str:
    """A topic's name in the reader's language."""
    topic = find_topic(slug)
    return slug if topic is None else topic.zh if phrases.name == "zh" else topic.en


def where(context: Context, interest: Interest, categories: Sequence[str]) -> list[str]:
    """Where a query without a category looks; and the category that has its words for a name, if that was meant."""
    if not interest.is_open:
        return []
    lines = [context.phrases("query.everywhere", categories=", ".join(categories), count=len(categories))]
    words = " ".join(term.text for term in walk(interest.term) if isinstance(term, Words)).lower()
    names = taxonomy.categories()
    return lines + [
        context.phrases("query.is_category", code=code, name=name)
        for code, name in names.items()
        if name.lower() == words
    ]


def expected(recently_a_day: int | None, phrases: Phrases) -> list[str]:
    """How much a query is going to bring, going by the last days; nothing where none is known."""
    if recently_a_day is None:
        return []
    return [phrases("query.expected", count=recently_a_day) if recently_a_day else phrases("query.expected_none")]


def subscribe_button(interest: Interest, phrases: Phrases) -> tuple[Button, ...]:
    """A button that follows a query, where it fits into one."""
    action = f"subscribe:{interest}"
    return (Button(phrases("button.subscribe"), action),) if len(action.encode()) <= LONGEST_ACTION else ()


async def list_topics(context: Context) -> Reply:
    """Every ready-made topic, one a line."""
    phrases = context.phrases
    lines = [f"• #{topic.slug} · {topic_name(topic.slug, phrases)}" for topic in topics().values()]
    return Reply("\n".join([*lines, "", phrases("topics.how")]), title=phrases("topics.title"))


def _short(text: str) -> str:
    return text if len(text) <= _QUOTED else text[: _QUOTED - 1] + "…"
