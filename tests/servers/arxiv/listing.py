"""The page of new listings, `arxiv.org/list/<category>/new`."""

import re
from collections.abc import Iterator, Sequence
from datetime import date
from html import escape

from .papers import Entry

_SECTIONS = ("new", "cross", "replace")
_NAMES = {"new": "New", "cross": "Cross", "replace": "Replacement"}
_URL = re.compile(r"(https?)://[^\s<>]*[^\s<>.,;)]")


def page(category: str, day: date, entries: Sequence[Entry], skip: int, show: int) -> str:
    """The page that shows at most `show` entries, those after the first `skip`; a quiet one where there are none."""
    ordered = sorted(entries, key=lambda entry: (_SECTIONS.index(_section(entry)), entry.id))
    shown = list(enumerate(ordered))[skip : skip + show]
    total = f"<div class='paging'>Total of {len(ordered)} entries </div>" if ordered else ""
    parts = [total, *_sections(ordered, shown, skip + show), total]
    if not shown:
        parts.append("<p>No updates today.</p>")
    return (
        f"<!DOCTYPE html>\n<html lang='en'>\n<head><title>{category}</title></head>\n<body>\n<div id='dlpage'>\n"
        f"<h1>Subject {category}</h1>\n<h3>Showing new listings for {day:%A}, {day.day} {day:%B %Y}</h3>\n"
        f"{''.join(parts)}\n</div>\n</body>\n</html>\n"
    )


def _section(entry: Entry) -> str:
    return entry.announce_type.removesuffix("-cross")


def _sections(ordered: Sequence[Entry], shown: Sequence[tuple[int, Entry]], end: int) -> Iterator[str]:
    for section in _SECTIONS:
        of_it = [place for place, entry in enumerate(ordered) if _section(entry) == section]
        here = [(place, entry) for place, entry in shown if _section(entry) == section]
        if not here:
            continue
        continued, is_last = here[0][0] > of_it[0], end > of_it[-1]
        showing = f"continued, showing {'last ' * is_last}" if continued else f"showing {'first ' * (not is_last)}"
        yield "<dl id='articles'>\n"
        yield f"<h3>{_NAMES[section]} submissions ({showing}{len(here)} of {len(of_it)} entries)</h3>\n"
        yield from (_item(place + 1, entry) for place, entry in here)
        yield "</dl>\n"


def _item(number: int, entry: Entry) -> str:
    notes = {"cross": f"(cross-list from {entry.categories[0]})", "replace": "(replaced)"}
    people = ", ".join(f'<a href="https://arxiv.org/search/?query=x">{escape(name)}</a>' for name in entry.authors)
    primary, *others = (f"Subject {category} ({category})" for category in entry.categories)
    comment = _described("comments", "Comments", _linked(entry.comment)) if entry.comment else ""
    journal = _described("journal-ref", "Journal-ref", escape(entry.journal_ref)) if entry.journal_ref else ""
    return f"""<dt>
  <a name='item{number}'>[{number}]</a>
  <a href ="/abs/{entry.id}" title="Abstract" id="{entry.id}">
    arXiv:{entry.id}
  </a>
  {notes.get(_section(entry), "")}
  [<a href="/pdf/{entry.id}" title="Download PDF" id="pdf-{entry.id}">pdf</a>,
  <a href="https://arxiv.org/html/{entry.id}v{entry.version}" title="View HTML" id="html-{entry.id}">html</a>]
</dt>
<dd>
  <div class='meta'>
    <div class='list-title mathjax'><span class='descriptor'>Title:</span>
      {escape(entry.title)}
    </div>
    <div class='list-authors'>{people}</div>
    {comment}
    {journal}
    <div class='list-subjects'><span class='descriptor'>Subjects:</span>
      <span class="primary-subject">{primary}</span>{"".join(f"; {other}" for other in others)}
    </div>
    <p class='mathjax'>
      {_linked(entry.abstract)}
    </p>
  </div>
</dd>
"""


def _described(name: str, label: str, text: str) -> str:
    return f"<div class='list-{name}'><span class='descriptor'>{label}:</span> {text}</div>"


def _linked(text: str) -> str:
    """Links are hidden behind words, as arXiv does."""
    return _URL.sub(
        lambda found: (
            f'<a href="{found[0]}" rel="external noopener nofollow" class="link-external link-{found[1]}">'
            f"this {found[1]} URL</a>"
        ),
        escape(text, quote=False),
    )
