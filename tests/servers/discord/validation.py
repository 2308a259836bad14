"""What Discord objects to in a form: each rule yields what it finds wrong."""

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

from .limits import (
    BUTTON_URL,
    BUTTONS,
    CHOICES,
    COMMAND_NAME,
    COMMAND_TEXT,
    COMPONENTS,
    COMPONENTS_BYTES,
    COMPONENTS_TEXT,
    COMPONENTS_V2,
    CONTENT,
    CUSTOM_ID,
    EMBEDS,
    EMBEDS_TEXT,
    FILES,
    LABEL,
    LOCALE,
    NONCE,
    OPTIONS,
    ROWS,
    Json,
    RefusalError,
)

Wrong = tuple[str, str, str]


def error_tree(wrongs: Iterable[Wrong]) -> Json:
    """The `errors` object of a 50035, https://docs.discord.com/developers/reference#error-messages."""
    tree: Json = {}
    for path, code, message in wrongs:
        node = tree
        for step in filter(None, path.split(".")):
            node = node.setdefault(step, {})
        node.setdefault("_errors", []).append({"code": code, "message": message})
    return tree


def length_errors(path: str, value: Any, most: int, least: int = 0) -> Iterator[Wrong]:
    if value is None or (least and not value):
        if least:
            yield path, "BASE_TYPE_REQUIRED", "This field is required"
    elif not isinstance(value, str | list):
        yield path, "STRING_TYPE_CONVERT", f'Could not interpret "{value}" as string.'
    elif not least and len(value) > most:
        yield path, "BASE_TYPE_MAX_LENGTH", f"Must be {most} or fewer in length."
    elif not least <= len(value) <= most:
        yield path, "BASE_TYPE_BAD_LENGTH", f"Must be between {least} and {most} in length."


def _link(path: str, value: Any, schemes: tuple[str, ...] = ("http", "https"), most: int = 2_048) -> Iterator[Wrong]:
    if value is None:
        return
    yield from length_errors(path, value, most)
    try:
        scheme, netloc = urlsplit(str(value))[:2]
    except ValueError:
        scheme, netloc = schemes[0], ""
    if scheme not in schemes:
        text = f"Scheme \"{scheme}\" is not supported. Scheme must be one of ('http', 'https')."
        yield path, "URL_TYPE_INVALID_SCHEME", text
    elif not netloc:
        yield path, "URL_TYPE_INVALID_URL", "Not a well formed URL."


def _embed_text(embed: Json) -> int:
    parts = [embed.get("title"), embed.get("description")]
    parts += [(embed.get("footer") or {}).get("text"), (embed.get("author") or {}).get("name")]
    parts += [each.get(key) for each in embed.get("fields") or [] for key in ("name", "value")]
    return sum(len(part or "") for part in parts)


def _embed(path: str, embed: Json) -> Iterator[Wrong]:
    yield from length_errors(f"{path}.title", embed.get("title"), 256)
    yield from length_errors(f"{path}.description", embed.get("description"), 4_096)
    yield from _link(f"{path}.url", embed.get("url"))
    yield from length_errors(f"{path}.fields", embed.get("fields"), 25)
    for index, each in enumerate(embed.get("fields") or []):
        yield from length_errors(f"{path}.fields.{index}.name", each.get("name"), 256, least=1)
        yield from length_errors(f"{path}.fields.{index}.value", each.get("value"), 1_024, least=1)
    footer, author = embed.get("footer") or {}, embed.get("author") or {}
    yield from length_errors(f"{path}.footer.text", footer.get("text"), 2_048)
    yield from length_errors(f"{path}.author.name", author.get("name"), 256)
    yield from _link(f"{path}.author.url", author.get("url"))
    files = ("http", "https", "attachment")
    for key, holder in (("author", author), ("footer", footer)):
        yield from _link(f"{path}.{key}.icon_url", holder.get("icon_url"), files)
    for key in ("image", "thumbnail"):
        yield from _link(f"{path}.{key}.url", (embed.get(key) or {}).get("url"), files)
    if not 0 <= (embed.get("color") or 0) <= 0xFFFFFF:
        yield f"{path}.color", "NUMBER_TYPE_MAX", "int value should be less than or equal to 16777215."


def walk(components: Iterable[Json], path: str = "components") -> Iterator[tuple[str, Json]]:
    """Every component with its path, parents first."""
    for index, component in enumerate(components):
        here = f"{path}.{index}"
        yield here, component
        yield from walk(component.get("components") or [], f"{here}.components")
        if accessory := component.get("accessory"):
            yield f"{here}.accessory", accessory


def shown_texts(components: Iterable[Json]) -> list[str]:
    return [each.get("content") or "" for _, each in walk(components) if each.get("type") == 10]


def _choice(path: str, allowed: Iterable[int]) -> Wrong:
    return path, "BASE_TYPE_CHOICES", f"Value must be one of {{{', '.join(map(str, sorted(allowed)))}}}."


def _button(path: str, button: Json) -> Iterator[Wrong]:
    yield from length_errors(f"{path}.label", button.get("label"), LABEL)
    if button.get("style") == 5:
        yield from length_errors(f"{path}.url", button.get("url"), BUTTON_URL, least=1)
        yield from _link(f"{path}.url", button.get("url"), ("http", "https", "discord"), BUTTON_URL)
        if button.get("custom_id"):
            text = "A custom id and url cannot both be specified"
            yield f"{path}.custom_id", "BUTTON_COMPONENT_CUSTOM_ID_AND_URL_MUTUALLY_EXCLUSIVE", text
    elif button.get("style") in (1, 2, 3, 4):
        yield from length_errors(f"{path}.custom_id", button.get("custom_id"), CUSTOM_ID, least=1)
    else:
        yield _choice(f"{path}.style", range(1, 6))
    if not button.get("label") and not button.get("emoji"):
        yield f"{path}.label", "BASE_TYPE_REQUIRED", "A label or an emoji is required"


def _component(path: str, each: Json) -> Iterator[Wrong]:
    children = each.get("components") or []
    match each.get("type"):
        case 1:
            most = BUTTONS if all(child.get("type") == 2 for child in children) else 1
            yield from length_errors(f"{path}.components", children, most, least=1)
            for index, child in enumerate(children):
                if child.get("type") not in (2, 3, 5, 6, 7, 8):
                    yield _choice(f"{path}.components.{index}.type", (2, 3, 5, 6, 7, 8))
        case 2:
            yield from _button(path, each)
        case 3 | 5 | 6 | 7 | 8 as kind:
            yield from length_errors(f"{path}.custom_id", each.get("custom_id"), CUSTOM_ID, least=1)
            yield from length_errors(f"{path}.placeholder", each.get("placeholder"), 150)
            if kind == 3:
                yield from length_errors(f"{path}.options", each.get("options"), 25, least=1)
            for index, option in enumerate(each.get("options") or []):
                for key in ("label", "value"):
                    yield from length_errors(f"{path}.options.{index}.{key}", option.get(key), 100, least=1)
                yield from length_errors(f"{path}.options.{index}.description", option.get("description"), 100)
        case 9:
            yield from length_errors(f"{path}.components", children, 3, least=1)
            if (each.get("accessory") or {}).get("type") not in (2, 11):
                yield f"{path}.accessory", "BASE_TYPE_REQUIRED", "This field is required"
        case 10:
            yield from length_errors(f"{path}.content", each.get("content"), COMPONENTS_TEXT, least=1)
        case 11 | 12 | 13 | 14 | 17:
            pass
        case _:
            yield _choice(f"{path}.type", (1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 17))


def _components(components: list[Json], v2: bool) -> Iterator[Wrong]:
    every = list(walk(components))
    if v2:
        if len(every) > COMPONENTS:
            text = f"The total number of components cannot exceed {COMPONENTS}"
            yield "components", "COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED", text
        if sum(map(len, shown_texts(components))) > COMPONENTS_TEXT:
            text = f"Components displayable text size exceeds maximum size of {COMPONENTS_TEXT}"
            yield "components", "COMPONENT_DISPLAYABLE_TEXT_SIZE_EXCEEDED", text
    else:
        yield from length_errors("components", components, ROWS)
    for index, each in enumerate(components):
        if each.get("type") not in ((1, 9, 10, 12, 13, 14, 17) if v2 else (1,)):
            yield _choice(f"components.{index}.type", (1, 9, 10, 12, 13, 14, 17) if v2 else (1,))
    seen: set[str] = set()
    for path, each in every:
        yield from _component(path, each)
        custom_id = each.get("custom_id")
        if custom_id in seen:
            text = "Component custom id cannot be duplicated"
            yield f"{path}.custom_id", "COMPONENT_CUSTOM_ID_DUPLICATED", text
        if custom_id is not None:
            seen.add(custom_id)


def _allowed_mentions(allowed: Json) -> Iterator[Wrong]:
    for key in ("users", "roles"):
        yield from length_errors(f"allowed_mentions.{key}", allowed.get(key), 100)
        if allowed.get(key) and key in allowed.get("parse", ()):
            text = f'parse:["{key}"] and {key}: [ids...] are mutually exclusive.'
            yield "allowed_mentions", "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE", text


def message_errors(body: Json) -> Iterator[Wrong]:
    """What Discord would object to in a message, all at once as it does."""
    v2 = bool((body.get("flags") or 0) & COMPONENTS_V2)
    embeds = body.get("embeds") or []
    if v2:
        for key in ("content", "embeds", "poll", "sticker_ids"):
            if body.get(key):
                text = f"The '{key}' field cannot be used when using MessageFlags.IS_COMPONENTS_V2"
                yield key, "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2", text
    yield from length_errors("content", body.get("content"), CONTENT)
    yield from length_errors("embeds", embeds, EMBEDS)
    for index, embed in enumerate(embeds):
        yield from _embed(f"embeds.{index}", embed)
    if sum(map(_embed_text, embeds)) > EMBEDS_TEXT:
        text = f"Embed size exceeds maximum size of {EMBEDS_TEXT}"
        yield "embeds", "MAX_EMBED_SIZE_EXCEEDED", text
    yield from _components(body.get("components") or [], v2)
    yield from _allowed_mentions(body.get("allowed_mentions") or {})
    if body.get("nonce") is not None:
        yield from length_errors("nonce", str(body["nonce"]), NONCE)


def is_empty(body: Json) -> bool:
    shown = any(embed.keys() - {"type", "color", "timestamp"} for embed in body.get("embeds") or [])
    parts = (body.get(key) for key in ("components", "attachments", "poll", "sticker_ids"))
    return not ((body.get("content") or "").strip() or shown or any(parts))


def check_message(body: Json, prefix: str = "") -> None:
    """Raise the RefusalError that Discord would answer this message with; `prefix` is "data." in a callback."""
    if errors := error_tree((prefix + path, code, text) for path, code, text in message_errors(body)):
        raise RefusalError(50035, errors)
    if is_empty(body):
        raise RefusalError(50006)
    texts = shown_texts(body.get("components") or [])
    if sum(len(text.encode()) + 12 for text in texts) > COMPONENTS_BYTES:
        raise RefusalError(500)


def check_files(names: list[str], attachments: list[Json] | None) -> None:
    """Raise the RefusalError for files that are too many, or not those that `attachments` speaks of by their number.

    https://docs.discord.com/developers/reference#uploading-files
    """
    spoken_of = {f"files[{each['id']}]" for each in attachments or []}
    wrongs = list(length_errors("attachments", names, FILES))
    if strange := [name for name in names if not re.fullmatch(r"files\[\d\]|file", name)]:
        wrongs.append(("files", "BASE_TYPE_BAD", f"{strange[0]} names no file."))
    if attachments and spoken_of - set(names):
        wrongs.append(("attachments.0.id", "ATTACHMENT_NOT_FOUND", "There is no such file in the request."))
    if errors := error_tree(wrongs):
        raise RefusalError(50035, errors)


def _words(path: str, key: str, holder: Json, most: int, named: bool) -> Iterator[Wrong]:
    spoken = {f"{path}{key}": holder.get(key)}
    for locale, text in (holder.get(f"{key}_localizations") or {}).items():
        if not LOCALE.fullmatch(locale):
            yield f"{path}{key}_localizations.{locale}", "BASE_TYPE_CHOICES", "Unknown locale."
        spoken[f"{path}{key}_localizations.{locale}"] = text
    for where, text in spoken.items():
        yield from length_errors(where, text, most, least=1)
        if named and text and (not COMMAND_NAME.fullmatch(text) or text != text.lower()):
            yield where, "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid"


def choice_errors(choices: Any) -> Iterator[Wrong]:
    """What Discord would object to in the choices that answer an autocomplete."""
    yield from length_errors("data.choices", choices, CHOICES)
    for place, choice in enumerate(choices or []):
        for key in ("name", "value"):
            yield from length_errors(f"data.choices.{place}.{key}", choice.get(key), 100, least=1)


def _options(path: str, options: list[Json]) -> Iterator[Wrong]:
    yield from length_errors(f"{path}options", options, OPTIONS)
    names = [option.get("name") for option in options]
    if len(set(names)) < len(names):
        text = "Option names must be unique"
        yield f"{path}options", "APPLICATION_COMMAND_OPTIONS_NAME_ALREADY_EXISTS", text
    if any(after.get("required") and not before.get("required") for before, after in pairwise(options)):
        text = "Required options must be placed before non-required options"
        yield f"{path}options", "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", text
    for index, option in enumerate(options):
        here = f"{path}options.{index}."
        yield from _words(here, "name", option, 32, named=True)
        yield from _words(here, "description", option, 100, named=False)
        choices = option.get("choices") or []
        yield from length_errors(f"{here}choices", choices, CHOICES)
        for place, choice in enumerate(choices):
            yield from _words(f"{here}choices.{place}.", "name", choice, 100, named=False)
            if isinstance(choice.get("value"), str):
                yield from length_errors(f"{here}choices.{place}.value", choice["value"], 100, least=1)
        yield from _options(here, option.get("options") or [])


def _command_text(part: Json) -> int:
    own = sum(
        max(map(len, [part.get(key) or "", *(part.get(f"{key}_localizations") or {}).values()]))
        for key in ("name", "description")
    )
    value = part.get("value")
    inner = [*(part.get("options") or []), *(part.get("choices") or [])]
    return own + (len(value) if isinstance(value, str) else 0) + sum(map(_command_text, inner))


def command_errors(command: Json, path: str = "") -> Iterator[Wrong]:
    """What Discord would object to in an application command."""
    slash = command.get("type", 1) == 1
    yield from _words(path, "name", command, 32, named=slash)
    if slash:
        yield from _words(path, "description", command, 100, named=False)
    yield from _options(path, command.get("options") or [])
    if _command_text(command) > COMMAND_TEXT:
        text = f"Command exceeds maximum size ({COMMAND_TEXT})"
        yield path.rstrip("."), "APPLICATION_COMMAND_TOO_LARGE", text
