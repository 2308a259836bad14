"""OAI-PMH of oaipmh.arxiv.org: ListRecords and GetRecord as arXivRaw. Errors come with HTTP 200."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from functools import lru_cache
from urllib.parse import parse_qsl, quote, unquote, urlencode

from lxml import etree
from lxml.builder import ElementMaker

from .atom import Element, xml
from .papers import Known, Papers

_OAI, _RAW = "http://www.openarchives.org/OAI/2.0/", "http://arxiv.org/OAI/arXivRaw/"
_O = ElementMaker(namespace=_OAI, nsmap={None: _OAI})
_R = ElementMaker(namespace=_RAW, nsmap={None: _RAW})
_PREFIX = "oai:arXiv.org:"
_GROUPS = ("cs", "econ", "eess", "math", "q-bio", "q-fin", "stat")
_ARGUMENTS = {
    "ListRecords": {"metadataPrefix", "from", "until", "set"},
    "GetRecord": {"metadataPrefix", "identifier"},
}


class OaiError(Exception):
    """An error of the protocol's: its code, and what it says."""

    def __init__(self, code: str, why: str) -> None:
        super().__init__(why)
        self.code = code


class Oai:
    """Answers requests about `papers`; `exists` tells which categories there are."""

    def __init__(self, papers: Papers, exists: Callable[[str], bool]) -> None:
        self.page_size = 1_000
        self.holes: set[date] = set()
        """Days (UTC) whose records are left out of lists, as has happened."""
        self.deleted: set[str] = set()
        """Papers whose records say so, and nothing else."""
        self._papers = papers
        self._exists = exists
        self._tokens: dict[str, float] = {}
        self._made: dict[str, tuple[Known, bytes]] = {}

    def answer(self, query: Mapping[str, str], now: float) -> bytes:
        root = _O("OAI-PMH", _O.responseDate(_z(now)), _O.request("http://oaipmh.arxiv.org/oai"))
        try:
            arguments = self._arguments(dict(query), now)
            by_verb = {"ListRecords": self._list, "GetRecord": self._get}
            content = by_verb[arguments["verb"]](arguments, now)
            root[1].attrib.update(dict(query))
        except OaiError as error:
            content = _O.error(str(error), code=error.code)
        if isinstance(content, Element):
            root.append(content)
            return xml(root)
        root.append(_O.content())
        return xml(root).replace(b"<content/>", content)

    def _arguments(self, given: dict[str, str], now: float) -> dict[str, str]:
        verb = given.get("verb", "")
        if verb not in _ARGUMENTS:
            raise OaiError("badVerb", "Invalid verb provided")
        if "resumptionToken" in given:
            if set(given) != {"verb", "resumptionToken"}:
                raise OaiError("badArgument", "resumptionToken is an exclusive argument")
            token = given["resumptionToken"]
            if self._tokens.get(token, 0) <= now:
                raise OaiError("badResumptionToken", "The token is invalid or expired.")
            return dict(parse_qsl(unquote(token)))
        if set(given) - _ARGUMENTS[verb] - {"verb"} or "metadataPrefix" not in given:
            raise OaiError("badArgument", "illegal or missing arguments")
        if given["metadataPrefix"] != "arXivRaw":
            raise OaiError("cannotDisseminateFormat", "this stub has arXivRaw only")
        return given

    def _list(self, asked: dict[str, str], now: float) -> bytes:
        first, last = _day(asked.get("from", "2005-09-16")), _day(asked.get("until", "9999-12-31"))
        if first > last:
            raise OaiError("badArgument", "from is after until")
        wanted = asked.get("set", "")
        if wanted and not self._is_set(wanted):
            raise OaiError("badArgument", "Set does not exist")
        found = [
            known
            for known in self._papers.changed_between(first, last, self.holes)
            if known.changed_at <= now and _is_in(wanted, tuple(known.entry.categories))
        ]
        if not found:
            raise OaiError("noRecordsMatch", "The combination of the arguments results in an empty list.")
        skip = int(asked.get("skip", "0"))
        end = skip + self.page_size
        token = b""
        if end < len(found):
            token = etree.tostring(self._token({**asked, "skip": str(end)}, now))
        elif skip:
            token = etree.tostring(_O.resumptionToken())
        return b"<ListRecords>%b%b</ListRecords>" % (b"".join(map(self._written, found[skip:end])), token)

    def _written(self, known: Known) -> bytes:
        """A record as it stands in answers, made once as long as nothing changes."""
        before, is_deleted = self._made.get(known.entry.id, (None, b"")), known.entry.id in self.deleted
        if before[0] is not known or is_deleted:
            before = self._made[known.entry.id] = (known, etree.tostring(self._record(known)))
        return before[1]

    def _token(self, asked: dict[str, str], now: float) -> Element:
        """Good until midnight UTC."""
        token = quote(urlencode(asked, safe=":"), safe="")
        midnight = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(
            days=1
        )
        self._tokens[token] = midnight.timestamp()
        return _O.resumptionToken(token, expirationDate=_z(midnight.timestamp()))

    def _is_set(self, wanted: str) -> bool:
        group, _, category = wanted.partition(":")
        if group not in (*_GROUPS, "physics"):
            return False
        archive = category.partition(":")[0]
        belongs = not category or group == (archive if archive in _GROUPS else "physics")
        return belongs and (":" not in category or self._exists(category.replace(":", ".")))

    def _get(self, asked: dict[str, str], now: float) -> Element:
        identifier = asked.get("identifier", "")
        bare = identifier.removeprefix(_PREFIX)
        known = self._papers.get(bare)
        if bare == identifier or known is None or known.first_at > now:
            raise OaiError("idDoesNotExist", "Nothing found for this id")
        return _O.GetRecord(self._record(known))

    def _record(self, known: Known) -> Element:
        header = _O.header(
            _O.identifier(f"{_PREFIX}{known.entry.id}"),
            _O.datestamp(known.changed_on.isoformat()),
            *(_O.setSpec(one) for one in _sets(known.entry.categories)),
        )
        if known.entry.id in self.deleted:
            header.set("status", "deleted")
            return _O.record(header)
        return _O.record(header, _O.metadata(_metadata(known)))


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise OaiError("badArgument", "dates are days: YYYY-MM-DD") from None


def _z(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@lru_cache(10_000)
def _is_in(wanted: str, categories: tuple[str, ...]) -> bool:
    return not wanted or any(f"{one}:".startswith(f"{wanted}:") for one in _sets(categories))


def _sets(categories: Iterable[str]) -> list[str]:
    """Every category's path: group, archive, and subject where it has one."""
    paths = [category.split(".") for category in categories]
    return [":".join([path[0] if path[0] in _GROUPS else "physics", *path]) for path in paths]


def _metadata(known: Known) -> Element:
    entry = known.entry
    optional = {"comments": entry.comment, "journal-ref": entry.journal_ref, "doi": entry.doi, "license": entry.rights}
    return _R.arXivRaw(
        _R.id(entry.id),
        _R.submitter("A. Example"),
        *(_version(known, number) for number in range(1, entry.version + 1)),
        _R.title(entry.title),
        _R.authors(", ".join(entry.authors)),
        _R.categories(" ".join(entry.categories)),
        *(_R(name, text) for name, text in optional.items() if text),
        _R.abstract(f"  {entry.abstract}"),
    )


def _version(known: Known, number: int) -> Element:
    is_last = number == known.entry.version
    at = datetime.fromtimestamp(known.submitted if number == 1 else known.changed_at, UTC)
    version = _R.version(_R.date(format_datetime(at, usegmt=True)), version=f"v{number}")
    if known.entry.withdrawn and is_last:
        version.extend([_R.size("0kb"), _R.source_type("I")])
    else:
        version.append(_R.size("23kb"))
    return version
