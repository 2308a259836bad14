"""Whether every real paper reads well on every platform: `python -m benchmarks.render [--papers FILE…]`.

Each paper goes the way of the product: the embedded writer's summary, a card in every language and format, digests of
30, in messages and in pages, and a message of its own, as /paper answers, on Telegram, on Discord and in the web chat;
and what the abstract's button answers. The Chinese is made up, as long as real Chinese is, with the paper's formulas in
it.

Counted are the messages that Telegram (TDLib parses them, as the real server does) or Discord refuses, those over a
documented limit, those in which the platform would mention somebody or make a link of a #tag, a $STOCK or a /command,
and the papers of which a reader is shown LaTeX that Unicode has a sign for. What is LaTeX is decided here, by
pylatexenc's table and by form, not by the product's own reader. `--left` prints the commonest left overs.
"""

import argparse
import gzip
import json
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, date, datetime
from functools import cache
from itertools import cycle, islice
from multiprocessing import get_context
from pathlib import Path
from typing import get_args

from pylatexenc.latex2text import get_default_latex_context_db

from benchmarks.load import table
from bot.cards.formulas import math_spans
from bot.cards.latex import readable
from bot.cards.packing import utf16_length
from bot.cards.reply import Card, Reply, card_of
from bot.chats import Format, Language
from bot.commands.reading import abstract_of
from bot.digests.choose import Choice
from bot.digests.edition import Edition, page_size, reply_of
from bot.locales import phrases_of
from bot.papers import Paper, PaperId
from bot.platforms.discord.render import render as for_discord
from bot.platforms.telegram.render import render as for_telegram
from bot.platforms.webchat.render import CARDS_A_MESSAGE
from bot.platforms.webchat.render import render as for_webchat
from bot.storage.digests import Receipt
from bot.summaries.embedded.extractive import extract
from bot.summary import Provenance, Summary, Takeaway
from tests.servers.discord.limits import RefusalError
from tests.servers.discord.validation import check_message, message_errors
from tests.servers.telegram.limits import BUTTON_LIMIT, CALLBACK_DATA_BYTES, ENTITY_LIMIT, ROW_LIMIT, TEXT_LIMIT
from tests.servers.telegram.texts import found, parsed

PAPERS = Path("../shared/data/arxiv/papers")
A_DIGEST = 30
AT_ONCE = 600
"""Papers that a process is given at once: whole digests."""
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
DAY = date(2026, 3, 2)

_CHINESE = "本文研究这个问题，提出一种新方法，用实验说明它的效果，并讨论它在哪些情形下不再成立。"
_TO_ENGLISH = 0.4
"""Characters of Chinese to one of English, as translations of abstracts have them."""
_MENTIONS = frozenset({"mention", "hashtag", "cashtag", "bot_command", "text_mention"})
_PINGS = re.compile(r"(?<!\\)<(?:@[!&]?|#)\d|@(?:everyone|here)\b")


@dataclass(slots=True)
class Count:
    """What became of some papers. `raw_latex` counts papers, `ms_latex` is the processor's for their LaTeX alone."""

    papers: int = 0
    messages: int = 0
    refused: int = 0
    over_limit: int = 0
    raw_latex: int = 0
    mentions: int = 0
    ms_latex: float = 0.0
    left: Counter[str] = field(default_factory=Counter)

    def __add__(self, other: "Count") -> "Count":
        return Count(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))

    def row(self, file: str) -> dict[str, object]:
        """As a line of the table, with milliseconds a paper."""
        counted = {name: value for name, value in asdict(self).items() if name != "left"}
        return {"file": file} | counted | {"ms_latex": round(self.ms_latex / max(1, self.papers), 3)}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.render", description=__doc__)
    parser.add_argument("--papers", type=Path, nargs="+", help="*.jsonl.gz; all of the shared ones if none is given")
    parser.add_argument("--limit", type=int, help="only so many papers of each file")
    parser.add_argument("--left", type=int, default=0, metavar="N", help="also the N commonest left overs of LaTeX")
    parser.add_argument("--json", action="store_true", help="one JSON object a line instead of a table")
    options = parser.parse_args()
    rows, left = [], Counter[str]()
    with get_context("spawn").Pool(2) as pool:
        for file in options.papers or sorted(PAPERS.glob("*.jsonl.gz")):
            some = list(papers(file, options.limit))
            chunks = [some[start : start + AT_ONCE] for start in range(0, len(some), AT_ONCE)]
            total = sum(pool.imap(measure, chunks), Count())
            rows.append(total.row(file.name.removesuffix(".jsonl.gz")))
            left += total.left
    print("\n".join(map(json.dumps, rows)) if options.json else table(rows))
    for words, times in left.most_common(options.left):
        print(json.dumps({"left": words, "papers": times}, ensure_ascii=False) if options.json else f"{times}\t{words}")


def papers(file: Path, limit: int | None = None) -> Iterator[Paper]:
    """The papers of a file of JSON lines, gzipped; names are read when a paper comes in."""
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        for each in map(json.loads, islice(lines, limit)):
            yield Paper(
                id=PaperId(each["id"]),
                version=each["version"] or 1,
                title=each["title"],
                abstract=each["abstract"],
                authors=tuple(map(readable, each["authors"] or ())),
                categories=tuple(each["categories"]),
                licence=each["license"],
                comment=each["comment"],
                journal_ref=each["journal_ref"],
                doi=each["doi"],
            )


def measure(some: Sequence[Paper]) -> Count:
    """What these papers come to in every form."""
    count = Count(papers=len(some))
    written = {paper.id: summary_of(paper) for paper in some}
    began = time.process_time()
    for paper in some:
        shown_of(paper, written[paper.id])
    count.ms_latex = (time.process_time() - began) * 1000
    for paper in some:
        left = {words for text in shown_of(paper, written[paper.id]) for words in raw(text)}
        count.raw_latex += bool(left)
        count.left.update(left)
    for reply in replies(some, written):
        telegram, discord, web = for_telegram(reply), for_discord(reply), for_webchat(reply)
        count.messages += len(telegram) + len(discord) + len(web)
        for payload in telegram:
            look_at_telegram(payload, count)
        for payload in discord:
            look_at_discord(payload, count)
        most = max((page.count("data-paper=") for page in web), default=0)
        count.over_limit += most > CARDS_A_MESSAGE
        count.refused += sum(page.count("data-paper=") for page in web) != len(reply.cards)
        if reply.is_page:
            count.over_limit += sum(len(messages) != 1 for messages in (telegram, discord, web))
    return count


def summary_of(paper: Paper) -> Summary:
    """The embedded writer's, with Chinese that says nothing."""
    extracted = extract(paper.title, paper.abstract)
    return Summary(
        paper.id,
        paper.version,
        extracted.tldr,
        tuple(Takeaway(each.en, chinese(each.en), each.role) for each in extracted.takeaways),
        Provenance("extract", "2", NOW, translator="made up"),
        tldr_zh=chinese(extracted.tldr),
        title_zh=chinese(paper.title),
        abstract_zh=chinese(paper.abstract),
    )


def chinese(text: str) -> str:
    """Chinese as long as a translation of `text`, around the same formulas."""
    out, end = "", 0
    for start, stop in [*math_spans(text), (len(text), len(text))]:
        out += "".join(islice(cycle(_CHINESE), round((start - end) * _TO_ENGLISH))) + text[start:stop]
        end = stop
    return readable(out)


def replies(some: Sequence[Paper], written: dict[PaperId, Summary]) -> Iterator[Reply]:
    """All that a chat may be told of these papers."""
    by_id = {paper.id: paper for paper in some}
    for language in get_args(Language):
        phrases = phrases_of("zh" if language == "zh" else "en")
        for form, start in ((form, start) for form in get_args(Format) for start in range(0, len(some), A_DIGEST)):
            shown = tuple(paper.id for paper in some[start : start + A_DIGEST])
            receipt = Receipt(len(some), len(some), len(shown), 0, 0)
            edition = Edition("telegram", language, "daily", DAY, Choice(shown, (), receipt), DAY, (), form)
            yield reply_of(edition, by_id, written)
            paged = replace(edition, page_size=page_size(form, language))
            yield from (reply_of(replace(paged, page=page), by_id, written) for page in range(1, paged.pages + 1))
        for paper in some:
            yield Reply(cards=(card_of(paper, written[paper.id], language, phrases),))
        yield from (abstract_of(paper, written[paper.id], language) for paper in some)


def look_at_telegram(payload: str, count: Count) -> None:
    """Count what Telegram would make of a message."""
    message = json.loads(payload)
    try:
        text, entities = parsed(message["text"], "html")
    except ValueError:
        count.refused += 1
        return
    rows = message["buttons"]
    count.over_limit += (
        utf16_length(text) > TEXT_LIMIT
        or len(entities) > ENTITY_LIMIT
        or sum(map(len, rows)) > BUTTON_LIMIT
        or any(len(row) > ROW_LIMIT for row in rows)
        or any(len(button["action"].encode()) > CALLBACK_DATA_BYTES for row in rows for button in row)
    )
    count.mentions += any(each["type"] in _MENTIONS for each in found(text))


def look_at_discord(payload: str, count: Count) -> None:
    """Count what Discord would make of a message."""
    body = json.loads(payload)
    try:
        check_message(body)
    except RefusalError:
        count.refused += 1
    count.over_limit += any("LENGTH" in code or "EXCEEDED" in code for _, code, _ in message_errors(body))
    texts = [body["content"], *(embed.get(key, "") for embed in body["embeds"] for key in ("title", "description"))]
    count.mentions += body["allowed_mentions"] != {"parse": []} or any(map(_PINGS.search, texts))


def shown_of(paper: Paper, summary: Summary) -> list[str]:
    """Every text of a paper that a reader is shown, its abstract included."""
    card = card_of(paper, summary, "both", phrases_of("en"))
    return [*texts_of(card), readable(paper.abstract)]


def texts_of(card: Card) -> Iterable[str]:
    yield from (card.title, card.second_title or "", card.byline, card.comment or "", *card.tldrs)
    yield from (point for points in card.takeaways for point in points)


# What is LaTeX in a text that is shown

_STRUCTURES = re.compile(
    r"[tdc]?frac|sqrt|binom|begin|end|text[a-z]*|emph|url|href|mbox|math(rm|bf|it|sf|bb|cal|scr|frak|tt)|operatorname"
    r"|boldsymbol|left|right|[bB]igg?[lr]?|q?quad|(under|over)(line|brace|set)|hat|bar|tilde|vec|dot|stackrel|substack"
    r"|cite[a-z]*|footnote|label|[hv]space|color|xrightarrow|[pb]mod"
)
_MACRO = re.compile(r"\\([A-Za-z]+)|\\[%&#_${},;:! ]|\\\\")
_FORMS = re.compile(
    r"\\['`^\"~=.]\s*\\?\{?[A-Za-z]"  # accents
    r"|\\[cvuHkrd]\{[A-Za-z]\}"
    r"|(?<=[\w)\]}])[_^]\{"  # scripts with a group
    r"|[A-Za-z]\{[^\W\d_]\}|\{[^\W\d_]\}[A-Za-z]"  # {B}ibTeX's capitals
    r"|``|(?<=[A-Za-z0-9)])---?(?=[A-Za-z0-9(])"  # quotes and dashes
)
_OWN = re.compile(r"\\(?:[A-Za-z]{2,}|[A-GI-Z])(?:\{[^{}]*\})*")
_URL = re.compile(r"https?://\S+")
_FORMULA = re.compile(r"\$([^$]{1,200})\$")
_PRICE = re.compile(r"[\d.,]+\s|\s*\d[\d,.]*[kKMB]?\b(?!\s*[\\^_=<>+])|.*\s$|/", re.S)


@cache
def _signs() -> frozenset[str]:
    """Macros for which Unicode has a sign, of more than one letter: one letter is often an author's own."""
    specs = get_default_latex_context_db().iter_macro_specs()
    signs = (each.macroname for each in specs if isinstance(each.simplify_repl, str) and len(each.simplify_repl) == 1)
    return frozenset(name for name in signs if len(name) > 1)


def raw(text: str) -> Iterator[str]:
    """Every piece of LaTeX in a shown text that Unicode has signs for; prices and authors' own macros are none."""
    text = _URL.sub("", text)
    plain = _OWN.sub("", text)
    for macro in _MACRO.finditer(text):
        if not macro[1] or _STRUCTURES.fullmatch(macro[1]) or macro[1] in _signs():
            yield macro[0]
    yield from (form[0] for form in _FORMS.finditer(plain))
    yield from ("$…$" for formula in _FORMULA.finditer(text) if not _PRICE.match(formula[1]))


if __name__ == "__main__":
    main()
