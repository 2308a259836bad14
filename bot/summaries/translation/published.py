"""What is published of translation models: which files a language's model has, where, and with which hashes.

Mozilla's records: https://firefox.settings.services.mozilla.com/v1/buckets/main/collections/translations-models-v2
(Remote Settings, which asks services to keep copies of their own). A mirror is a web server's copy of our folder.
"""

import re
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bot.config import Translation
from bot.summaries.translation import models
from bot.summaries.translation.models import LARGEST, RECORD, FileName, ModelError, Record, Sha256, pair_of

READ_BY_US = "3."
"""Versions of records that fxtranslate 0.5 reads; of others it says that there is no model."""

_ARCHITECTURES = ("tiny", "base", "base-memory")
"""Of models of one version the last of these is taken: it runs on any machine, and its quality is known."""

AGAIN = "Check the address and the network, and run: paperwire models fetch"


class _Attachment(BaseModel):
    location: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_./-]*$", max_length=300)
    hash: Sha256 | None = None
    size: int | None = Field(None, ge=1, le=LARGEST)


class _Published(BaseModel):
    """One of Mozilla's records: a file of a model, packed."""

    model_config = ConfigDict(alias_generator=lambda name: re.sub(r"_(\w)", lambda part: part[1].upper(), name))

    name: FileName
    file_type: Literal["model", "vocab", "srcvocab", "trgvocab"]
    source_language: str
    target_language: str
    version: str = Field(max_length=40)
    architecture: str | None = Field(None, max_length=40)
    filter: str = Field("", alias="filter_expression")
    decompressed_hash: Sha256 | None = None
    decompressed_size: int | None = Field(None, ge=1, le=LARGEST)
    attachment: _Attachment


class _Answer(BaseModel):
    data: list[dict[str, object]]


@dataclass(frozen=True, slots=True)
class File:
    """A file to fetch: as it travels, and as it will lie there."""

    name: str
    url: str
    packed_sha256: str | None
    packed_size: int | None
    sha256: str | None
    size: int | None

    @property
    def packing(self) -> str:
        return next((end for end in (".zst", ".gz") if self.url.endswith(end)), "")


@dataclass(frozen=True, slots=True)
class Wanted:
    """The model to fetch."""

    version: str
    architecture: str
    files: tuple[File, ...]


def source_of(settings: Translation) -> str:
    """The key of the settings that says where models come from, for whoever is told that one did not."""
    return "[translation] mirror" if settings.mirror else "[translation] records_url, files_url"


def mirrored(settings: Translation, base: str, body: bytes) -> Wanted:
    """The model of a mirror, by the `record.json` that it has under `base`. Raises ModelError."""
    try:
        record = Record.model_validate_json(body)
    except ValidationError:
        raise ModelError(
            f"{source_of(settings)}: {base}/{RECORD} is no record of a model. Put a copy of [translation] folder "
            "there, as `paperwire models fetch` filled it."
        ) from None
    names = tuple(file.name for file in record.files)
    if record.pair != pair_of(settings.to) or models.wanted_roles(names) is None:
        raise ModelError(f"{source_of(settings)}: {base}/{RECORD} is of {record.pair}, or lacks a file. {AGAIN}")
    files = tuple(
        File(file.name, f"{base}/{file.name}", None, file.size, file.sha256, file.size) for file in record.files
    )
    return Wanted(record.version, record.architecture, files)


def chosen(settings: Translation, body: bytes) -> Wanted:
    """The model to fetch of all that Mozilla has records of: released before tried out, then the newest.

    Raises ModelError.
    """
    try:
        rows = _Answer.model_validate_json(body).data
    except ValidationError:
        raise ModelError(f"{source_of(settings)}: {settings.records_url} has no records. {AGAIN}") from None
    groups: dict[tuple[bool, tuple[int, ...], int, str], dict[str, _Published]] = {}
    for row in rows:
        try:
            found = _Published.model_validate(row)
        except ValidationError:
            continue  # of a form that is not ours, such as a lexical shortlist
        if found.source_language == "en" and _is_language(found.target_language, settings.to):
            kind = _ARCHITECTURES.index(found.architecture) if found.architecture in _ARCHITECTURES else -1
            if found.version.startswith(READ_BY_US) and ".." not in found.attachment.location:
                key = (not found.filter, _numbers(found.version), kind, found.version)
                groups.setdefault(key, {})[found.name] = found
    whole = {key: group for key, group in groups.items() if models.wanted_roles(tuple(group))}
    if not whole:
        raise ModelError(
            f'[translation] to: there is no model from English into "{settings.to}" of version {READ_BY_US}x at '
            f"{settings.records_url}. Choose another language."
        )
    best = whole[max(whole)]
    names = dict.fromkeys(models.wanted_roles(tuple(best)) or ())
    some = next(iter(best.values()))
    return Wanted(some.version, some.architecture or "", tuple(_file(settings, best[name]) for name in names))


def _file(settings: Translation, found: _Published) -> File:
    packed = found.attachment
    url = f"{settings.files_url}/{packed.location}"
    is_packed = url.endswith((".zst", ".gz"))
    return File(
        name=found.name,
        url=url,
        packed_sha256=packed.hash,
        packed_size=packed.size,
        sha256=found.decompressed_hash or (None if is_packed else packed.hash),
        size=found.decompressed_size,
    )


def _is_language(tag: str, wanted: str) -> bool:
    """Simplified Chinese is `zh` in some records and `zh-Hans` in others."""
    return tag == wanted or {tag, wanted} == {"zh", "zh-Hans"}


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d{1,6}", version))
