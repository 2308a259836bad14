"""Pages: what the web server shows, as HTML."""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from bot import __version__
from bot.cards.latex import readable
from bot.chats import Chat
from bot.locales import format_datetime, phrases_of
from bot.papers import Paper
from bot.platforms.webchat.render import templates
from bot.platforms.webchat.updates import LONGEST_TEXT
from bot.storage.threads import Said

SUGGESTIONS = ("/subscribe cs.CL", "/digest", "/status", "/help")
"""Commands offered above the composer."""

templates.globals |= {"version": __version__, "longest_text": LONGEST_TEXT}


def message_element(said: Said, zone: ZoneInfo) -> str:
    """One message of a thread, with who said it and when in the reader's zone."""
    at = format_datetime(said.at, "d MMM, HH:mm", tzinfo=zone, locale=phrases_of("en").babel)
    return templates.get_template("said.html").render(said=said, at=at)


def thread_page(threads: Sequence[Chat], chat: Chat, said: Sequence[Said], status: str, *, has_older: bool) -> str:
    """A thread at its present end, which listens for what comes next."""
    return _thread("thread.html", threads, chat, said, status=status, has_older=has_older)


def older_page(threads: Sequence[Chat], chat: Chat, said: Sequence[Said], *, has_older: bool) -> str:
    """An earlier stretch of a thread."""
    return _thread("older.html", threads, chat, said, status="", has_older=has_older)


def _thread(
    template: str, threads: Sequence[Chat], chat: Chat, said: Sequence[Said], *, status: str, has_older: bool
) -> str:
    return templates.get_template(template).render(
        threads=threads,
        chat=chat,
        messages=[message_element(each, chat.preferences.tz) for each in said],
        older_than=said[0].id if said and has_older else None,
        last_id=said[-1].id if said else 0,
        status=status,
        suggestions=SUGGESTIONS,
    )


def paper_page(paper: Paper) -> str:
    """A stored paper's facts and abstract."""
    return templates.get_template("paper.html").render(
        paper=paper,
        title=readable(paper.title),
        abstract=readable(paper.abstract),
        comment=readable(paper.comment) if paper.comment else None,
    )


def error_page(text: str) -> str:
    """What went wrong, and the way back."""
    return templates.get_template("error.html").render(text=text)
