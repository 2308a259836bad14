"""Pages: what the web server shows, as HTML."""

from collections.abc import Sequence

from jinja2 import ChoiceLoader, PackageLoader

from bot import __version__
from bot.cards.latex import readable
from bot.chats import Chat
from bot.locales import CatalogueName, format_datetime, phrases_of
from bot.papers import Paper
from bot.platforms.webchat.mathml import with_formulas
from bot.platforms.webchat.render import templates
from bot.storage.threads import Said
from bot.web.security import LARGEST_BODY

SUGGESTIONS = ("/subscribe cs.CL", "/digest", "/status", "/help")
"""Commands offered above the composer."""

_templates = templates.overlay(loader=ChoiceLoader([PackageLoader("bot.web"), *filter(None, [templates.loader])]))
_templates.globals = templates.globals | {"version": __version__, "longest_text": LARGEST_BODY}


def message_element(said: Said, chat: Chat) -> str:
    """One message of a thread, with who said it and when in the thread's zone."""
    ui = _language(chat)
    pattern = "d MMM, HH:mm" if ui == "en" else "M月d日 HH:mm"
    at = format_datetime(said.at, pattern, tzinfo=chat.preferences.tz, locale=phrases_of(ui).babel)
    return _templates.get_template("said.html").render(said=said, chat=chat, at=at, ui=ui)


def thread_page(threads: Sequence[Chat], chat: Chat, said: Sequence[Said], status: str, *, has_older: bool) -> str:
    """A thread at its present end, which listens for what comes next."""
    return _thread("thread.html", threads, chat, said, status=status, has_older=has_older)


def older_page(threads: Sequence[Chat], chat: Chat, said: Sequence[Said], *, has_older: bool) -> str:
    """An earlier stretch of a thread."""
    return _thread("older.html", threads, chat, said, status="", has_older=has_older)


def _thread(
    template: str, threads: Sequence[Chat], chat: Chat, said: Sequence[Said], *, status: str, has_older: bool
) -> str:
    return _templates.get_template(template).render(
        ui=_language(chat),
        threads=threads,
        chat=chat,
        messages=[message_element(each, chat) for each in said],
        older_than=said[0].id if said and has_older else None,
        last_id=said[-1].id if said else 0,
        status=status,
        suggestions=SUGGESTIONS,
    )


def _language(chat: Chat) -> CatalogueName:
    return "zh" if chat.preferences.language == "zh" else "en"


def paper_page(paper: Paper) -> str:
    """A stored paper's facts and abstract. Their formulas take some ms: it belongs in a thread."""
    return _templates.get_template("paper.html").render(
        ui="en",
        paper=paper,
        title=readable(paper.title),
        heading=with_formulas(paper.title),
        abstract=with_formulas(paper.abstract),
        comment=readable(paper.comment) if paper.comment else None,
    )


def error_page(text: str) -> str:
    """What went wrong, and the way back."""
    return _templates.get_template("error.html").render(ui="en", text=text)
