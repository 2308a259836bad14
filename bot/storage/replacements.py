"""Replacements: versions that took the place of stored ones, and which of them each chat was told of."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.papers import PaperId
from bot.storage.dialect import insert
from bot.storage.slices import slices
from bot.storage.tables import digest_papers, digests, papers, replacements, told_versions

_BATCH = 200


@dataclass(frozen=True, slots=True)
class Replacement:
    """A new version of a paper, which had `before` (the same where it was only withdrawn).

    `comment`: what its authors say now, where that is not what they said before.
    """

    paper_id: PaperId
    title: str
    before: int
    version: int
    withdrawn: bool
    comment: str | None


async def note(connection: AsyncConnection, rows: Sequence[Mapping[str, Any]], seen_at: datetime) -> None:
    """Remember which of these rows of `papers`, about to be stored, replace a stored version or withdraw it."""
    told = {row["id"]: row for row in rows if row["version"] > 1 or row["withdrawn"]}
    found: list[dict[str, Any]] = []
    ids = list(told)
    for some in slices(ids, _BATCH):
        columns = (papers.c.id, papers.c.version, papers.c.withdrawn, papers.c.comment)
        known = await connection.execute(sa.select(*columns).where(papers.c.id.in_(some)))
        for before in known:
            version, withdrawn = told[before.id]["version"], bool(told[before.id]["withdrawn"])
            is_withdrawn_now = version == before.version and withdrawn and not before.withdrawn
            if version > before.version or is_withdrawn_now:
                found.append(
                    {
                        "paper_id": before.id,
                        "version": version,
                        "withdrawn": withdrawn,
                        "before": before.version,
                        "comment": before.comment,
                        "seen_at": seen_at,
                    }
                )
    if found:
        await connection.execute(insert(connection.dialect.name, replacements).on_conflict_do_nothing(), found)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What came of a paper at an instant."""

    at: datetime
    before: int
    version: int
    withdrawn: bool
    comment: str | None


async def untold(
    connection: AsyncConnection, since: Mapping[int, datetime], *, only_withdrawn: Collection[int]
) -> dict[int, list[Replacement]]:
    """What each of these chats was shown and has not been told was replaced, since an instant; withdrawn papers first.

    `only_withdrawn`: the chats that want to hear of withdrawn papers alone. A paper comes once, from the version that
    the first of its replacements took the place of to the last one.
    """
    if not since:
        return {}
    seen = await _seen(connection, min(since.values()))
    withdrawn = {paper_id: several for paper_id, several in seen.items() if several[-1].withdrawn}
    told: dict[int, list[Replacement]] = {}
    for wanted, chat_ids in (
        (seen, [chat_id for chat_id in since if chat_id not in only_withdrawn]),
        (withdrawn, [chat_id for chat_id in since if chat_id in only_withdrawn]),
    ):
        if wanted and chat_ids:
            told |= await _of_chats(connection, wanted, {chat_id: since[chat_id] for chat_id in chat_ids})
    return told


async def _seen(connection: AsyncConnection, since: datetime) -> dict[PaperId, list[_Seen]]:
    row = replacements.c
    query = sa.select(replacements).where(row.seen_at >= since).order_by(row.seen_at, row.version, row.withdrawn)
    found: dict[PaperId, list[_Seen]] = {}
    for each in await connection.execute(query):
        seen = _Seen(each.seen_at, each.before, each.version, each.withdrawn, each.comment)
        found.setdefault(PaperId(each.paper_id), []).append(seen)
    return found


async def _of_chats(
    connection: AsyncConnection, seen: Mapping[PaperId, Sequence[_Seen]], since: Mapping[int, datetime]
) -> dict[int, list[Replacement]]:
    given, told, ids = digest_papers.c, told_versions.c, list(seen)
    same = sa.and_(told.chat_id == given.chat_id, told.paper_id == given.paper_id)
    found: dict[int, list[Replacement]] = {}
    for some in slices(ids, _BATCH):
        query = (
            sa.select(
                given.chat_id, given.paper_id, digests.c.composed_at, papers.c.title, papers.c.comment,
                told.version, told.withdrawn,
            )
            .join_from(digest_papers, digests, digests.c.id == given.digest_id)
            .join(papers, papers.c.id == given.paper_id)
            .join(told_versions, same, isouter=True)
            .where(given.chat_id.in_(since), given.paper_id.in_(some), given.held.is_(False))
        )  # fmt: skip
        for row in await connection.execute(query):
            paper_id = PaperId(row.paper_id)
            news = [
                each
                for each in seen[paper_id]
                if each.at >= since[row.chat_id]
                and each.at > row.composed_at
                and (row.version is None or _goes_beyond(each, row.version, withdrawn=row.withdrawn))
            ]
            if news:
                last = news[-1]
                comment = row.comment if row.comment != news[0].comment else None
                replacement = Replacement(paper_id, row.title, news[0].before, last.version, last.withdrawn, comment)
                found.setdefault(row.chat_id, []).append(replacement)
    return {chat_id: sorted(several, key=_order) for chat_id, several in found.items()}


def _goes_beyond(seen: _Seen, version: int, *, withdrawn: bool) -> bool:
    return seen.version > version or (seen.version == version and seen.withdrawn and not withdrawn)


def _order(replacement: Replacement) -> tuple[bool, PaperId]:
    return not replacement.withdrawn, replacement.paper_id


async def told(connection: AsyncConnection, by_chat: Mapping[int, Sequence[Replacement]], now: datetime) -> None:
    """These chats are told of these: none of it is news to them any more."""
    rows = [
        {
            "chat_id": chat_id,
            "paper_id": each.paper_id,
            "version": each.version,
            "withdrawn": each.withdrawn,
            "told_at": now,
        }
        for chat_id, several in by_chat.items()
        for each in several
    ]
    if rows:
        statement = insert(connection.dialect.name, told_versions)
        changed = {name: statement.excluded[name] for name in ("version", "withdrawn", "told_at")}
        await connection.execute(
            statement.on_conflict_do_update(index_elements=["chat_id", "paper_id"], set_=changed), rows
        )


@dataclass(frozen=True, slots=True)
class Told:
    """Of which version a chat was told last, and when."""

    version: int
    withdrawn: bool
    at: datetime


async def last_told(connection: AsyncConnection, chat_id: int, paper_id: PaperId) -> Told | None:
    """What a chat was told of a paper after it was given it."""
    row = told_versions.c
    query = sa.select(told_versions).where(row.chat_id == chat_id, row.paper_id == paper_id)
    found = (await connection.execute(query)).first()
    return Told(found.version, found.withdrawn, found.told_at) if found else None


async def prune(connection: AsyncConnection, before: datetime) -> None:
    """Forget what was replaced before then."""
    await connection.execute(sa.delete(replacements).where(replacements.c.seen_at < before))
