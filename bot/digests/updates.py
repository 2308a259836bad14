"""Updates: the closing section of a digest, which tells what was replaced of the papers that the chat was given."""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.cards.latex import readable
from bot.cards.reply import Card, Reply, shortened
from bot.chats import Language, PlatformName, languages
from bot.locales import Phrases, phrases_of
from bot.papers import abs_url
from bot.storage.replacements import Replacement

MOST = 10
"""Papers that are named; of the others their number is told."""
_COMMENT_SHOWN = 160


@dataclass(frozen=True, slots=True)
class Updates:
    """All that the section's text depends on."""

    platform: PlatformName
    language: Language
    replaced: tuple[Replacement, ...]

    def reply(self) -> Reply:
        """A line a paper: what it is called now, from which version to which, and what its authors say of that."""
        spoken = [phrases_of(name) for name in languages(self.language)]
        more = len(self.replaced) - MOST
        return Reply(
            title=spoken[0]("updates.title"),
            text="\n".join(phrases("updates.opening", count=len(self.replaced)) for phrases in spoken),
            cards=tuple(_line(each, spoken) for each in self.replaced[:MOST]),
            footer="\n".join(phrases("updates.more", count=more) for phrases in spoken) if more > 0 else "",
        )


def _line(each: Replacement, spoken: Sequence[Phrases]) -> Card:
    key = "updates.withdrawn" if each.withdrawn else "updates.replaced"
    changes = dict.fromkeys(phrases(key, before=each.before, version=each.version) for phrases in spoken)
    comment = shortened(readable(each.comment or ""), _COMMENT_SHOWN)
    said = " · ".join(filter(None, [*changes, comment]))
    return Card(
        each.paper_id,
        readable(each.title),
        abs_url(each.paper_id),
        tldrs=(said,),
        is_line=True,
        title_source=each.title,
    )
