"""What chats are owed, computed from the captures with lxml and not through the program."""

from collections.abc import Iterable, Sequence

from lxml import etree

from benchmarks.replay.world import ChatPlan, Received
from tests.servers.arxiv import Capture

_ATOM = {"a": "http://www.w3.org/2005/Atom", "x": "http://arxiv.org/schemas/atom"}


def announced(captures: Iterable[Capture], followed: set[str]) -> dict[str, set[str]]:
    """The papers that the followed feeds announced as new or cross-listed, each with its categories."""
    found: dict[str, set[str]] = {}
    for capture in captures:
        if capture.category not in followed:
            continue
        for entry in etree.fromstring(capture.body()).iterfind("a:entry", _ATOM):
            if entry.findtext("x:announce_type", namespaces=_ATOM) in ("new", "cross"):
                paper = entry.findtext("a:id", namespaces=_ATOM).rpartition(":")[2].rpartition("v")[0]
                found[paper] = {category.get("term") for category in entry.iterfind("a:category", _ATOM)}
    return found


def owed(captures: Iterable[Capture], plans: Sequence[ChatPlan]) -> dict[str, set[str]]:
    """What each chat is to receive, by its name; chats with a cap are left out.

    Queries are read here only as far as replays need them: one category, less others, such as `cs.CL-cs.AI`.
    """
    wanted = {plan.name: [query.split("-") for query in plan.queries] for plan in plans}
    papers = announced(captures, {first for queries in wanted.values() for first, *_ in queries})
    return {
        plan.name: {
            paper
            for paper, categories in papers.items()
            for first, *others in wanted[plan.name]
            if first in categories and categories.isdisjoint(others)
        }
        for plan in plans
        if plan.cap == 0
    }


def lost(captures: Iterable[Capture], plans: Sequence[ChatPlan], received: Iterable[Received]) -> int:
    """How many papers did not come to chats that they were owed to."""
    came = {(each.chat, each.paper) for each in received}
    return sum((name, paper) not in came for name, papers in owed(captures, plans).items() for paper in papers)
