"""Settings: config.toml and the environment (`PAPERWIRE_SECTION__KEY`), validated; errors name the key and the fix."""

import os
import re
import tomllib
from datetime import time as TimeOfDay  # noqa: N812 -- `time` is a key's name here
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from bot.chats import LARGEST_CAP, Language, Preferences
from bot.errors import PaperwireError

DEFAULT_FILE = Path("config.toml")
ENV_PREFIX = "PAPERWIRE_"
_WANTED = {
    "int_type": "write a whole number, such as 12",
    "int_parsing": "write a whole number, such as 12",
    "string_type": 'write a text in quotes, such as "UTC"',
    "bool_type": "write true or false",
    "bool_parsing": "write true or false",
    "tuple_type": 'write a list, such as ["cs.CL", "cs.CV"]',
    "path_type": 'write a path in quotes, such as "data/models"',
    "dict_type": 'write a table, such as { "file" = "its SHA-256" }',
    "model_type": "write it as a section, with its keys below",
}


class ConfigError(PaperwireError):
    """The configuration cannot be used; the text says which key, what it holds and what would do."""


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError('is no IANA time zone; write for example "Asia/Shanghai" or "UTC"') from error
    return name


def _time_of_day(text: object) -> object:
    if isinstance(text, TimeOfDay) or (isinstance(text, str) and re.fullmatch(r"([01]?\d|2[0-3]):[0-5]\d", text)):
        return text if isinstance(text, TimeOfDay) else TimeOfDay.fromisoformat(text.zfill(5))
    raise ValueError('is no time of day; write for example "08:30"')


def _telegram_token(token: SecretStr) -> SecretStr:
    if not re.fullmatch(r"(\d+:[\w-]+)?", token.get_secret_value(), re.A):
        raise ValueError("does not look like a bot token (digits, a colon, letters); get one from @BotFather")
    return token


def _discord_token(token: SecretStr) -> SecretStr:
    if not re.fullmatch(r"([\w.-]{5,})?", token.get_secret_value(), re.A):
        raise ValueError("does not look like a bot token (letters, dots, no blanks); get one in the developer portal")
    return token


def _http_url(url: str) -> str:
    if url and not url.startswith(("http://", "https://", "ws://", "wss://")):
        raise ValueError("is no URL; it begins with https:// or http://")
    return url.rstrip("/")


def _webhook_url(url: str) -> str:
    if url and not url.startswith("https://") and not re.match(r"http://(localhost|127\.0\.0\.1)[:/]", url):
        raise ValueError("is no https:// address, and Telegram calls no other")
    return url.rstrip("/")


def _target_language(code: str) -> str:
    if not re.fullmatch(r"[a-z]{2,3}(-[A-Z][a-z]{3})?", code) or code == "en":
        raise ValueError('is no language to translate English into; write for example "zh", "ja" or "de"')
    return code


def _pins(pins: dict[str, str]) -> dict[str, str]:
    if any(not re.fullmatch(r"[0-9a-f]{64}", digest) for digest in pins.values()):
        raise ValueError('needs a SHA-256 for each file: { "model.enzh.intgemm.alphas.bin" = "64 letters of 0-9 a-f" }')
    return pins


Zone = Annotated[str, AfterValidator(_zone)]
Url = Annotated[str, AfterValidator(_http_url)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Web(_Section):
    """The HTTP server: pages, web chat, health. Off loopback it needs a password."""

    host: str = "127.0.0.1"
    port: int = Field(8765, ge=0, le=65535)
    password: SecretStr = SecretStr("")
    hosts: tuple[str, ...] = ()
    """Host names besides the bound address under which browsers may call, such as a reverse proxy's."""


class Database(_Section):
    """Where everything is kept: a SQLite file for one process, PostgreSQL for several."""

    url: str = "sqlite:///data/paperwire.db"

    @property
    def password(self) -> SecretStr:
        """The one inside the URL."""
        return SecretStr(unquote(urlsplit(self.url).password or ""))


class Workers(_Section):
    """How the processes on one PostgreSQL work together. Seconds are of real time."""

    concurrency: int = Field(100, ge=1, le=1000)
    """Chats that one worker serves at once."""
    heartbeat_seconds: float = Field(10, gt=0)
    stalled_seconds: float = Field(30, gt=0)
    """A worker that was not heard of for so long is dead: others take over what it was at."""


class Retention(_Section):
    """For how long bulky texts are kept. What was sent to whom is kept for good."""

    days: int = Field(30, ge=1)
    """Days after which the text of a sent message is dropped."""


class Arxiv(_Section):
    """arXiv's interfaces and how politely they are used."""

    feed_url: Url = "https://rss.arxiv.org/atom"
    api_url: Url = "https://export.arxiv.org/api/query"
    oai_url: Url = "https://oaipmh.arxiv.org/oai"
    listing_url: Url = "https://arxiv.org/list"
    contact: str = "https://github.com/paperwire/paperwire"
    default_categories: tuple[str, ...] = ("cs.AI", "cs.CL", "cs.CV", "cs.LG")
    poll_minutes: int = Field(15, ge=5, le=24 * 60)
    """After which an announcement that has not come is asked for again, and then ever less often."""
    sweep_days: int = Field(7, ge=0, le=30)
    """Announcement days that are compared with arXiv's records every day; 0: none."""


class Telegram(_Section):
    """Token from @BotFather; base URLs of a self-hosted Bot API server, if any."""

    token: Annotated[SecretStr, AfterValidator(_telegram_token)] = SecretStr("")
    base_url: Url = "https://api.telegram.org/bot"
    base_file_url: Url = "https://api.telegram.org/file/bot"
    webhook_url: Annotated[str, AfterValidator(_webhook_url)] = ""
    """Where Telegram finds the web role from outside; empty: long polling."""
    paid_broadcast: bool = False
    """1,000 messages a second instead of 30, paid in Telegram Stars by the bot's owner."""


class Discord(_Section):
    """Token from the developer portal; URLs of a proxy, if any."""

    token: Annotated[SecretStr, AfterValidator(_discord_token)] = SecretStr("")
    api_url: Url = "https://discord.com/api/v10"
    gateway_url: Url = ""
    shard_count: int = Field(1, ge=1, le=10_000)
    """Into how many shards all processes together split the servers; Discord takes at most 2,500 servers a shard."""
    shard_ids: tuple[int, ...] = ()
    """The shards of this process; empty: all of them."""
    admin_role: str = Field("", coerce_numbers_to_str=True)
    """A role, by its id or name, whose members are administrators too, beside those who may manage the server."""

    @model_validator(mode="after")
    def _shards_exist(self) -> Self:
        if any(not 0 <= shard < self.shard_count for shard in self.shard_ids):
            raise ValueError("shard_ids: each is a number from 0 to shard_count - 1")
        return self


class Llm(_Section):
    """An OpenAI-compatible endpoint that writes summaries in both languages; where it cannot, the embedded writer does.

    Of limits 0 is none. Per minute we pace ourselves; a day (UTC) whose budget is spent goes on without the model.
    """

    base_url: Url = ""
    api_key: SecretStr = SecretStr("")
    model: str = ""
    max_in_flight: int = Field(16, ge=1, le=256)
    requests_per_minute: int = Field(0, ge=0)
    tokens_per_minute: int = Field(0, ge=0)
    requests_per_day: int = Field(0, ge=0)
    tokens_per_day: int = Field(2_000_000, ge=0)
    """What is read and what is written together. A paper takes about 2,500."""
    timeout_seconds: float = Field(60, gt=0, le=600)
    """For one answer, whole."""
    batch_seconds: float = Field(600, gt=0, le=3600)
    """For all papers that are asked for at once; what is not written by then, the embedded writer writes."""
    max_tokens: int = Field(4_000, ge=200, le=100_000)
    """Of one answer, a thinking model's thoughts included."""
    price_in: float | None = Field(None, ge=0)
    """For a million tokens read, in whatever currency; only to tell the cost."""
    price_out: float | None = Field(None, ge=0)
    """For a million tokens written."""

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if bool(self.base_url) != bool(self.model):
            raise ValueError("needs both base_url and model, or neither")
        return self


class Translation(_Section):
    """Machine translation of summaries on this machine, with the models of Firefox; no key is needed."""

    enabled: bool = True
    to: Annotated[str, AfterValidator(_target_language)] = "zh"
    folder: Path = Path("data/models")
    """Where the models are: `<folder>/en-zh/`. One that is there already is used without any network."""
    download: bool = True
    """Fetch a missing model by itself; False: `paperwire models fetch` alone does."""
    mirror: Url = ""
    """A web server's copy of `folder`; empty: Mozilla's records and files, below."""
    records_url: Url = (
        "https://firefox.settings.services.mozilla.com/v1/buckets/main/collections/translations-models-v2/records"
    )
    files_url: Url = "https://firefox-settings-attachments.cdn.mozilla.net"
    glossary: str = ""
    """A file of terms of one's own: English, tab, translation; they come before the bundled ones."""
    pins: Annotated[dict[str, str], AfterValidator(_pins)] = {}
    """SHA-256 by file name, unpacked: any other content is refused, whatever a record says."""


class Digest(_Section):
    """What a new chat starts with."""

    time: Annotated[TimeOfDay, BeforeValidator(_time_of_day)] = TimeOfDay(9, 0)
    zone: Zone = "UTC"
    language: Language = "both"
    cap: int = Field(12, ge=0, le=LARGEST_CAP)
    wait_for_summaries: int = Field(20, ge=0, le=240)
    """Minutes that a digest waits at most for summaries that are being written or translated."""

    @property
    def preferences(self) -> Preferences:
        """The same as a chat has it."""
        return Preferences(self.time, self.zone, self.language, self.cap)


class AccessRules(_Section):
    """Who may use the bot: an operator lets each chat in, unless `open`."""

    open: bool = False


class Log(_Section):
    """How much is logged, and for whom: `text` for people, `json` for machines."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"


class Settings(BaseSettings):
    """Everything that can be set. The environment wins over the file."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True)

    web: Web = Web()
    database: Database = Database()
    workers: Workers = Workers()
    retention: Retention = Retention()
    arxiv: Arxiv = Arxiv()
    telegram: Telegram = Telegram()
    discord: Discord = Discord()
    llm: Llm = Llm()
    translation: Translation = Translation()
    digest: Digest = Digest()
    access: AccessRules = AccessRules()
    log: Log = Log()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return env_settings, init_settings


def load_settings(path: Path | None = None) -> Settings:
    """Read the file (`--config`, else PAPERWIRE_CONFIG, else config.toml here if there is one) and the environment.

    Raises ConfigError with one line for each thing that is wrong.
    """
    named = path or (Path(value) if (value := os.environ.get(f"{ENV_PREFIX}CONFIG")) else None)
    file = named or DEFAULT_FILE
    values = _read(file) if named or file.exists() else {}
    _refuse_unknown_variables()
    try:
        return Settings(**values)
    except ValidationError as error:
        raise ConfigError("\n".join(_explain(dict(each), file) for each in error.errors())) from None
    except SettingsError as error:
        # Lists stand in a variable as JSON; this is what is said of one that does not.
        name = re.search(r'"(\w+)"', str(error))
        section = name[1] if name else "?"
        raise ConfigError(
            f"{ENV_PREFIX}{section.upper()}__… (environment): a list is written there as JSON, such as "
            '\'["cs.CL", "cs.CV"]\'.'
        ) from None


def _read(file: Path) -> dict[str, Any]:
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(f"{file}: no such file. Copy config.example.toml to {file}, or leave --config out.") from None
    except UnicodeDecodeError:
        raise ConfigError(
            f"{file}: is not a text file. Copy config.example.toml over it and fill it in anew."
        ) from None
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read ({error.strerror}). Check that it is a file you may read.") from None
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file}: is no TOML ({error}). Compare that line with config.example.toml.") from None


def _refuse_unknown_variables() -> None:
    """pydantic-settings passes over a misspelt variable in silence; a typo there must not look like a default."""
    known = {f"{ENV_PREFIX}CONFIG"}
    for section, field in Settings.model_fields.items():
        assert isinstance(field.annotation, type)
        assert issubclass(field.annotation, BaseModel)
        known |= {f"{ENV_PREFIX}{section}__{key}".upper() for key in field.annotation.model_fields}
    for name in os.environ:
        if name.upper().startswith(ENV_PREFIX) and name.upper() not in known:
            raise ConfigError(
                f"{name}: no such setting. Variables are named {ENV_PREFIX}SECTION__KEY, see config.example.toml."
            )


def _explain(error: dict[str, Any], file: Path) -> str:
    """One line: where, which key, the shape of what is there (never the value: it may be a secret), what to do."""
    path = [str(part) for part in error["loc"]]
    section, key = path[0], ".".join(path[1:])
    variable = f"{ENV_PREFIX}{'__'.join(path[:2])}".upper()
    in_environment = variable in {name.upper() for name in os.environ}
    where = f"{variable} (environment)" if in_environment else f"{file}: [{section}] {key}".rstrip()
    if error["type"] == "extra_forbidden":
        model = Settings.model_fields[section].annotation if key and section in Settings.model_fields else Settings
        assert isinstance(model, type)
        assert issubclass(model, BaseModel)
        return f"{where}: no such {'key' if key else 'section'}. Known here: {', '.join(model.model_fields)}."
    fault = f"it {error['ctx']['error']}" if error["type"] == "value_error" else _WANTED.get(error["type"])
    is_secret = path[-1] in ("token", "password", "api_key")
    return f"{where}: holds {_shape(error.get('input'), is_secret=is_secret)}; {fault or error['msg'].lower()}."


def _shape(value: object, *, is_secret: bool) -> str:
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, str):
        return f"a text of {len(value)} characters"
    return (
        f"{type(value).__name__} {value!r}"
        if isinstance(value, int | float) and not is_secret
        else f"of type {type(value).__name__}"
    )
