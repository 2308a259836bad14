"""The message catalogues: both complete, with the same values to fill in, and nothing left over."""

import re
from pathlib import Path
from string import Formatter

import pytest
from babel.messages.pofile import read_po

BOT = Path(__file__).parents[1] / "bot"
# A key is written out, or begins so and ends in a noun's own word: f"language.{preferences.language}".
WRITTEN = re.compile(r'"((?:[a-z_]+\.)+[a-z_]+)"')
BEGUN = re.compile(r'f"((?:[a-z_]+\.)+)\{')


def catalogue(name: str) -> dict[str, list[str]]:
    """Each key's texts: one, or as many as the language has plural forms."""
    with (BOT / "locales" / f"{name}.po").open("rb") as file:
        messages = [message for message in read_po(file, locale=name) if message.id]
    texts = {(m.id if isinstance(m.id, str) else m.id[0]): m.string for m in messages}
    return {key: list(text) if isinstance(text, tuple) else [text] for key, text in texts.items()}


def values(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def sources() -> str:
    files = [*BOT.rglob("*.py"), *BOT.rglob("*.html")]
    return "\n".join(file.read_text("utf-8").replace("'", '"') for file in files)


def test_both_languages_have_every_text() -> None:
    english, chinese = catalogue("en"), catalogue("zh")
    assert english.keys() == chinese.keys()
    assert all(all(texts) for texts in [*english.values(), *chinese.values()])


def test_both_languages_fill_in_the_same_values() -> None:
    english, chinese = catalogue("en"), catalogue("zh")
    for key, texts in english.items():
        wanted = set().union(*map(values, texts))
        assert {frozenset(values(text)) for text in chinese[key]} == {frozenset(wanted)}, key


def test_every_key_that_the_code_names_is_there_and_none_is_left_over() -> None:
    keys, code = set(catalogue("en")), sources()
    spaces = {key.partition(".")[0] for key in keys}
    written = {key for key in WRITTEN.findall(code) if key.partition(".")[0] in spaces}
    begun = (*set(BEGUN.findall(code)), *(key for key in written if key.endswith("_")))
    written -= set(begun)
    files = {key for key in written if key.rpartition(".")[2] in ("html", "css", "js", "json", "toml", "xml", "py")}
    events = set(re.findall(r'\.(?:debug|info|warning|error|exception)\(\s*"([a-z_.]+)"', code))
    assert written - files - events - keys == set()
    assert {key for key in keys - written if not key.startswith(begun)} == set()


@pytest.mark.parametrize("key", sorted(catalogue("zh")))
def test_chinese_texts_use_chinese_punctuation(key: str) -> None:
    for text in catalogue("zh")[key]:
        assert not re.search(r"[\u4e00-\u9fff][,:;?!]|[,;?!][\u4e00-\u9fff]", text), text
