r"""What a model replied, as a Draft: taken out of whatever it was wrapped in, its LaTeX mended, and validated.

Seen in the wild: thinking before the answer, code fences, the object inside `properties`, a missing field, an answer
cut off in the middle, and `\alpha`, which is no JSON, or `\theta`, which is, and means a tab and "heta".
"""

import json
import re
import unicodedata
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from bot.papers import Paper
from bot.summary import Provenance, Role, Summary, Takeaway

LONGEST = 64_000
"""Characters of a reply that are looked at."""
LONGEST_TEXT = 1_500
LONGEST_ABSTRACT = 6_000
"""Characters beyond which a text is no summary, and not worth being checked."""

_THOUGHT = re.compile(r"\A.*</(think|thinking|thought|reasoning)>", re.S | re.I)
_THINKING = re.compile(r"\A\s*<(think|thinking|thought|reasoning)>", re.I)
_OPENINGS = 8
# A backslash and what makes an escape of it. `\n` begins a line only where no LaTeX command begins so.
_ESCAPE = re.compile(
    r"\\(?:"
    r"(?P<right>[\\\"/]|u[0-9a-fA-F]{4})|"
    r"(?P<latex>[bfrt](?=[a-zA-Z])|n(?=(?:abla|u|e|eq|eg|i|ot|otin|leq|geq|eqq|orm|onumber|mid|earrow|less|gtr|sim)"
    r"(?![a-zA-Z])))|"
    r"(?P<control>[bfnrt]))?"
)
_UNSEEN = re.compile("[\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]")

Text = Annotated[str, BeforeValidator(lambda value: _tidy(value) if isinstance(value, str) else value)]


class Unusable(Exception):
    """A reply that is no Draft: `guard` names the fault (`json`, `cut`, `thinking`, `field`), the text tells the
    model what to do."""

    def __init__(self, guard: str, detail: str) -> None:
        super().__init__(detail)
        self.guard = guard
        self.detail = detail


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore")


class Both(_Part):
    """A text in both languages."""

    en: Annotated[Text, Field(min_length=1, max_length=LONGEST_TEXT)]
    zh: Annotated[Text, Field(min_length=1, max_length=LONGEST_TEXT)]


def _role(value: object) -> object:
    role = value.strip().lower() if isinstance(value, str) else ""
    return role if role in ("problem", "method", "result") else ""


class Point(Both):
    """A takeaway. A role that we do not know is none."""

    role: Annotated[Role, BeforeValidator(_role)] = ""


class Draft(_Part):
    """What the prompt asks for, as far as its form goes; whether it is true the checks say."""

    tldr: Both
    takeaways: Annotated[list[Point], Field(min_length=1, max_length=8)]
    title_zh: Annotated[Text, Field(min_length=1, max_length=LONGEST_TEXT)]
    abstract_zh: Annotated[Text, Field(min_length=1, max_length=LONGEST_ABSTRACT)]

    def summary(self, paper: Paper, provenance: Provenance) -> Summary:
        """The same as a Summary of this paper."""
        return Summary(
            paper_id=paper.id,
            paper_version=paper.version,
            tldr=self.tldr.en,
            takeaways=tuple(Takeaway(each.en, each.zh, each.role) for each in self.takeaways),
            provenance=provenance,
            tldr_zh=self.tldr.zh,
            title_zh=self.title_zh,
            abstract_zh=self.abstract_zh,
        )


def _object(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


_STRING = {"type": "string"}
SCHEMA = _object(
    tldr=_object(en=_STRING, zh=_STRING),
    takeaways={
        "type": "array",
        "items": _object(role={"type": "string", "enum": ["problem", "method", "result"]}, en=_STRING, zh=_STRING),
    },
    title_zh=_STRING,
    abstract_zh=_STRING,
)
"""A Draft as JSON schema, within what strict modes take: https://platform.openai.com/docs/guides/structured-outputs"""


def read(reply: str, *, is_cut: bool = False) -> Draft:
    """The Draft in a reply; `is_cut` says that the model was stopped at its longest answer. Raises Unusable."""
    text = _THOUGHT.sub("", reply[:LONGEST])
    if _THINKING.match(text):
        raise Unusable("thinking", "the thinking never ended; answer with the JSON object at once")
    found = _unwrapped(_json(text, is_cut=is_cut))
    try:
        return Draft.model_validate(found)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, each['loc']))}: {each['msg'].lower()}" for each in error.errors()[:5]]
        raise Unusable("field", "; ".join(faults)) from None


def mended(text: str) -> str:
    """JSON with each backslash that LaTeX meant doubled."""

    def mend(found: re.Match[str]) -> str:
        if found["right"] or found["control"]:
            return found[0]
        return "\\" + found[0]

    return _ESCAPE.sub(mend, text)


def _json(text: str, *, is_cut: bool) -> Any:
    text = mended(text)
    decoder = json.JSONDecoder(strict=False)
    end = -1
    for _ in range(_OPENINGS):
        start = text.find("{", end + 1)
        if start < 0:
            break
        try:
            found, _ = decoder.raw_decode(text, start)
        except (json.JSONDecodeError, RecursionError) as error:
            at_end = isinstance(error, json.JSONDecodeError) and _is_end(text, error)
            if is_cut or at_end:
                raise Unusable("cut", "the JSON object is not complete; write shorter texts") from None
            end = start
            continue
        if isinstance(found, dict):
            return found
        end = start
    raise Unusable("json", "there is no valid JSON object; answer with the JSON object alone, each backslash as \\\\")


def _is_end(text: str, error: json.JSONDecodeError) -> bool:
    """Whether what is wrong is that the text ends."""
    return error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string")


def _unwrapped(found: Any) -> Any:
    """The object itself, where it is the only one inside another, such as `properties` or `summary`."""
    for _ in range(3):
        if not isinstance(found, dict) or "tldr" in found:
            break
        inside = [each for each in found.values() if isinstance(each, dict)]
        if len(inside) != 1:
            break
        found = inside[0]
    return found


def _tidy(text: str) -> str:
    """On one line, without control characters and without what turns the direction of writing."""
    text = _UNSEEN.sub("", text.encode("utf-8", "ignore").decode("utf-8"))
    return " ".join("".join(" " if unicodedata.category(sign) == "Cc" else sign for sign in text).split())
