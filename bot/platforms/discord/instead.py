"""Instead: what goes in place of a message that Discord does not take in its form. That it happens is our bug."""

import json

from bot.platforms.discord import limits
from bot.platforms.discord.render import Json, escaped, split


def instead(payload: str, objection: str) -> tuple[str, ...]:
    """Payloads in place of `payload`: its two halves where all embeds together are too much, else its plain text.

    Nothing where it is plain text already. `objection` is Discord's own, as discord.py puts it: "In embeds: …" means
    all of them, "In embeds.3.url: …" a single one, which a half would still contain.
    """
    body = json.loads(payload)
    together = "\nIn embeds: " in objection
    bodies = _halves(body) if together and len(body["embeds"]) > 1 else _plain(body)
    return tuple(json.dumps(each, ensure_ascii=False) for each in bodies)


def _halves(body: Json) -> list[Json]:
    middle = len(body["embeds"]) // 2
    first, second = body["embeds"][:middle], body["embeds"][middle:]
    return [body | {"embeds": first, "components": []}, body | {"content": "", "embeds": second}]


def _plain(body: Json) -> list[Json]:
    if not body["embeds"] and not body["components"] and len(body["content"]) <= limits.CONTENT:
        return []
    text = "\n\n".join(filter(None, [body["content"], *map(_text, body["embeds"])]))
    bare = {"embeds": [], "components": [], "allowed_mentions": {"parse": []}, "flags": limits.SUPPRESS_EMBEDS}
    pieces = [{"content": piece} | bare for piece in split(text, limits.CONTENT)]
    # A mention stands at the beginning.
    allowed = body.get("allowed_mentions", bare["allowed_mentions"])
    return [each | {"allowed_mentions": allowed} for each in pieces[:1]] + pieces[1:]


def _text(embed: Json) -> str:
    title = embed.get("title", "")
    lines = title and f"**{title}**", embed.get("url"), embed.get("description")
    return "\n".join(filter(None, [*lines, escaped(embed.get("footer", {}).get("text", ""))]))
