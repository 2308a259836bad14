"""The translation models on the disk: which there are, whether each file is what it should be, and its content.

A model is a folder `<folder>/en-zh/` with the files that Firefox ships and a `record.json` that holds their sizes and
SHA-256. Nothing is used that was not compared with a hash: a wrong vocabulary raises no error, it yields garbage.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from bot.errors import PaperwireError

RECORD = "record.json"
LARGEST = 512 * 2**20
"""Bytes of a file. The largest of Firefox's models has some 60 MB."""

FIX = "Run: paperwire models fetch"


class ModelError(PaperwireError):
    """A model cannot be used or fetched; the text names the key, the file and the fix."""


def _plain_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_][\w.-]{0,120}", name, re.A):
        raise ValueError("is no plain file name")
    return name


FileName = Annotated[str, AfterValidator(_plain_name)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class FileRecord(BaseModel):
    """One file of a model, unpacked. `size` is in bytes."""

    model_config = ConfigDict(frozen=True)

    name: FileName
    sha256: Sha256
    size: int = Field(ge=1, le=LARGEST)


class Record(BaseModel):
    """What a model is: `record.json` in its folder. A copy of the folder on a web server is a mirror."""

    model_config = ConfigDict(frozen=True)

    pair: str = Field(pattern=r"^[A-Za-z]{2,3}-[A-Za-z-]{2,10}$")
    version: str = Field(max_length=40)
    architecture: str = Field("", max_length=40)
    files: tuple[FileRecord, ...] = Field(max_length=8)


@dataclass(frozen=True, slots=True)
class Model:
    """A model that lies in a folder. `stamp` changes when somebody touches a file."""

    folder: Path
    record: Record
    stamp: tuple[tuple[str, int, int], ...]

    @property
    def name(self) -> str:
        """For a summary's provenance: `firefox en-zh 3.0`."""
        return f"firefox {self.record.pair} {self.record.version}".strip()

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum(file.size for file in self.record.files)


@dataclass(frozen=True, slots=True)
class Content:
    """The files of a model, read and verified: the model, the vocabularies of both languages (often the same)."""

    model: bytes
    source_vocabulary: bytes
    target_vocabulary: bytes


def pair_of(to: str) -> str:
    """The name of a direction from English, and of its folder."""
    return f"en-{to}"


def find(folder: Path, to: str, pins: Mapping[str, str]) -> Model:
    """The model into a language, by its record and its files' sizes; their content is compared when it is read.

    Reads little; for a folder without record.json, whose files must all be pinned, their sizes alone.
    Raises ModelError.
    """
    home = folder / pair_of(to)
    if not home.is_dir():
        raise ModelError(f"[translation] folder: {home} is missing. {FIX}")
    record = _record(home, to, pins)
    if record.pair != pair_of(to):
        raise ModelError(
            f'[translation] folder: {home / RECORD} is of {record.pair}, and [translation] to is "{to}". {FIX}'
        )
    stamp = []
    for file in record.files:
        path = home / file.name
        if not _is_of(file.name, to):
            raise ModelError(f'[translation] folder: {path} is of another pair, but to is "{to}". {FIX}')
        try:
            state = path.stat()
        except OSError:
            raise ModelError(f"[translation] folder: {path} is missing. {FIX}") from None
        if state.st_size != file.size:
            raise ModelError(f"[translation] folder: {path} has {state.st_size} bytes instead of {file.size}. {FIX}")
        stamp.append((file.name, state.st_mtime_ns, state.st_ino))
    _roles(home, record)
    return Model(home, record, tuple(stamp))


def read(model: Model, pins: Mapping[str, str]) -> Content:
    """A model's content, compared with its hashes and the pins. Reads some 50 MB: for a thread. Raises ModelError."""
    contents: dict[str, bytes] = {}
    for file in model.record.files:
        path = model.folder / file.name
        try:
            contents[file.name] = path.read_bytes()
        except OSError as error:
            raise ModelError(f"[translation] folder: {path} cannot be read ({error.strerror}). {FIX}") from None
        compare(str(path), hashlib.sha256(contents[file.name]).hexdigest(), file, pins)
    return Content(*(contents[name] for name in _roles(model.folder, model.record)))


def compare(where: str, digest: str, file: FileRecord, pins: Mapping[str, str]) -> None:
    """Raises ModelError where a file's SHA-256 is not the recorded one, or not the pinned one."""
    if (pinned := pins.get(file.name, digest)) != digest:
        raise ModelError(
            f'[translation] pins: {where} has the SHA-256 {digest}, and "{file.name}" is pinned to {pinned}. '
            "Correct the pin if you trust the new file; else put the pinned one there."
        )
    if digest != file.sha256:
        raise ModelError(f"[translation] folder: {where} is damaged: its SHA-256 is not the recorded one. {FIX}")


def digest_of(path: Path) -> str:
    """A file's SHA-256. Reads all of it: for a thread."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def wanted_roles(names: tuple[str, ...]) -> tuple[str, str, str] | None:
    """Which files are the model and the source's and the target's vocabulary; None where one is missing."""

    def first(start: str, end: str) -> str | None:
        return next((name for name in names if name.startswith(start) and name.endswith(end)), None)

    model, shared = first("model.", ".bin"), first("vocab.", ".spm")
    source, target = first("srcvocab.", ".spm") or shared, first("trgvocab.", ".spm") or shared
    return (model, source, target) if model and source and target else None


def _roles(home: Path, record: Record) -> tuple[str, str, str]:
    roles = wanted_roles(tuple(file.name for file in record.files))
    if roles is None:
        raise ModelError(f"[translation] folder: {home} lacks a model.*.bin, or its vocabularies (*.spm). {FIX}")
    return roles


def _is_of(name: str, to: str) -> bool:
    """Whether a file's name says this pair: `model.enzh.intgemm.alphas.bin`, the same for zh and zh-Hans."""
    return f"en{to.partition('-')[0]}" in name.split(".")


def _record(home: Path, to: str, pins: Mapping[str, str]) -> Record:
    path = home / RECORD
    try:
        return Record.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return _pinned(home, to, pins)
    except (OSError, ValidationError):
        raise ModelError(f"[translation] folder: {path} is no record of a model. {FIX}") from None


def _pinned(home: Path, to: str, pins: Mapping[str, str]) -> Record:
    """The record of files that somebody put there without one: each needs a pin, for nobody else vouches for it."""
    files = []
    for path in sorted(home.iterdir()):
        if not re.fullmatch(r"(?:model\..*\.bin|(?:src|trg)?vocab\..*\.spm)", path.name):
            continue
        if path.name not in pins:
            raise ModelError(
                f"[translation] pins: nothing says what {path} must hold: {home / RECORD} is missing, and "
                f'"{path.name}" is not pinned. {FIX}, or pin the SHA-256 that its source publishes.'
            )
        size = path.stat().st_size
        if not 1 <= size <= LARGEST:
            raise ModelError(f"[translation] folder: {path} has {size} bytes, which no model has. {FIX}")
        files.append(FileRecord(name=path.name, sha256=pins[path.name], size=size))
    if not files:
        raise ModelError(f"[translation] folder: {home} holds no model. {FIX}")
    return Record(pair=pair_of(to), version="", files=tuple(files))


def written(record: Record) -> str:
    """A record as its file holds it."""
    return json.dumps(record.model_dump(), ensure_ascii=False, indent=2) + "\n"
