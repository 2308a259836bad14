"""Settings: what is wrong is said in one line, with the key and the fix."""

from pathlib import Path

import pytest

from bot.config import ConfigError, load_settings

EXAMPLE = Path(__file__).parents[1] / "config.example.toml"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[web]\nport = "x"', ["[web] port", "a text of 1 characters", "whole number"]),
        ("[web]\nprt = 1", ["[web] prt", "no such key", "port"]),
        ("[wb]\na = 1", ["[wb]", "no such section", "web"]),
        ('[digest]\nzone = "Mars"', ["[digest] zone", "IANA", "Asia/Shanghai"]),
        ('[digest]\ntime = "25:00"', ["[digest] time", "08:30"]),
        ("[digest]\ntime = 7", ["[digest] time", "int 7", "08:30"]),
        ('[telegram]\ntoken = "secret words"', ["[telegram] token", "12 characters", "@BotFather"]),
        ('[discord]\ntoken = "secret words"', ["[discord] token", "12 characters", "developer portal"]),
        ("[web", ["no TOML", "config.example.toml"]),
        ("web = 3", ["[web]", "int 3", "section"]),
        ('[web]\nhost = ["a"]', ["[web] host", "in quotes"]),
        ('[arxiv]\ndefault_categories = "cs.CL"', ["[arxiv] default_categories", "write a list"]),
        ('[arxiv]\nfeed_url = "ftp://x"', ["[arxiv] feed_url", "https://"]),
        ('[translation]\nto = "en"', ["[translation] to", "a text of 2 characters", '"zh", "ja"']),
        ('[translation]\nmirror = "ftp://x"', ["[translation] mirror", "https://"]),
        ("[translation]\nfolder = 3", ["[translation] folder", "write a path"]),
        ('[translation]\npins = "x"', ["[translation] pins", "write a table"]),
        ('[translation]\npins = { "model.bin" = "x" }', ["[translation] pins", "SHA-256"]),
        ('[llm]\nmodel = "x"', ["[llm]", "base_url and model"]),
        ('[llm]\nprice_in = "x"', ["[llm] price_in", "a text of 1 characters", "number"]),
    ],
)
def test_a_mistake_is_told_in_one_line_with_key_shape_and_fix(tmp_path: Path, text: str, said: list[str]) -> None:
    file = tmp_path / "config.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_settings(file)
    message = str(caught.value)
    assert all(part in message for part in [str(file), *said])
    assert "\n" not in message
    assert "secret" not in message


def test_a_missing_and_a_binary_file_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        load_settings(tmp_path / "nowhere.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(ConfigError, match="not a text file"):
        load_settings(tmp_path / "binary.toml")


def test_an_empty_file_means_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("")
    assert load_settings(tmp_path / "config.toml") == load_settings(EXAMPLE)


def test_the_environment_wins_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.toml").write_text("[web]\nport = 8001")
    monkeypatch.setenv("PAPERWIRE_WEB__PORT", "8002")
    monkeypatch.setenv("PAPERWIRE_ARXIV__DEFAULT_CATEGORIES", '["math.NT"]')
    settings = load_settings(tmp_path / "config.toml")
    assert settings.web.port == 8002
    assert settings.arxiv.default_categories == ("math.NT",)


@pytest.mark.parametrize(
    ("name", "value"), [("PAPERWIRE_WEB__PORT", "many"), ("PAPERWIRE_WEB__PRT", "1"), ("PAPERWIRE_WEB__X__Y", "1")]
)
def test_a_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=name):
        load_settings(EXAMPLE)


def test_secrets_are_not_shown_when_settings_are_printed() -> None:
    assert "123:ABC" not in repr(load_settings(EXAMPLE).model_copy())


def test_a_list_in_a_variable_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAPERWIRE_WEB__HOSTS", "papers.example.org")
    with pytest.raises(ConfigError, match=r"PAPERWIRE_WEB__.*JSON, such as"):
        load_settings(EXAMPLE)
