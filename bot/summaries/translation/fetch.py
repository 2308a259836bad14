"""Fetching a translation model: resumed, verified, unpacked, put in place at once; by itself where it is missing."""

import asyncio
import gzip
import shutil
import subprocess
import sys
import zlib
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import httpx
import structlog
from filelock import FileLock, Timeout

from bot import __version__
from bot.clock import Clock
from bot.config import Translation
from bot.summaries.translation import models
from bot.summaries.translation.models import LARGEST, RECORD, FileRecord, Model, ModelError, Record, pair_of
from bot.summaries.translation.published import AGAIN, File, Wanted, chosen, mirrored, source_of

LARGEST_RECORDS = 16 * 2**20
"""Bytes. All records of all languages have some 2 MB."""

TRIES = 4
"""For one file, each going on where the last one broke off."""

LONGEST_FETCH = 3 * 60 * 60.0
"""Seconds for a whole model."""


LONGEST_UNPACKING = 120.0
"""Seconds for one file. The largest takes less than one."""

_BLOCK = 2**20

FIRST_REST, LONGEST_REST = 60.0, 6 * 60 * 60.0
"""Seconds between two automatic fetches, twice as long after each failure."""

Show = Callable[[str, int, int], None]
"""Is told a file's name, how many of its bytes are here, and how many there are in all (0: unknown)."""

_Got = TypeVar("_Got")

log = structlog.get_logger(__name__)


class _BrokenOffError(Exception):
    """An answer that did not come to its end: asking again may help."""


async def ensure_model(settings: Translation, clock: Clock) -> Model | None:
    """Come back when the model is there and whole, fetching it where that is allowed; None: it is not allowed.

    To be run beside everything else. A fetch that fails is tried again after an ever longer rest, and each cause is
    logged once.
    """
    rest, told = FIRST_REST, ""
    while True:
        try:
            return await asyncio.to_thread(verified, settings)
        except ModelError as error:
            missing = str(error)
        try:
            if not settings.download:
                log.warning("translation.no_model", reason=missing)
                return None
            log.info("translation.fetch", pair=pair_of(settings.to), source=settings.mirror or settings.records_url)
            return await fetch(settings, clock)
        except ModelError as error:
            if str(error) != told:
                told = str(error)
                log.warning("translation.not_fetched", reason=told)
        await clock.sleep(rest)
        rest = min(2 * rest, LONGEST_REST)


def verified(settings: Translation) -> Model:
    """The model that lies there, each byte compared. Reads it all: for a thread. Raises ModelError."""
    model = models.find(settings.folder, settings.to, settings.pins)
    models.read(model, settings.pins)
    return model


async def fetch(
    settings: Translation, clock: Clock, show: Show = lambda _name, _here, _total: None, longest_silence: float = 30.0
) -> Model:
    """The published model, verified, in its folder; one that is there already is left as it is.

    A fetch that was broken off goes on where it was. `longest_silence`: seconds without a byte. Raises ModelError.
    """
    home = settings.folder / pair_of(settings.to)
    part = home.with_name(f"{home.name}.part")
    try:
        await asyncio.to_thread(part.mkdir, parents=True, exist_ok=True)
        lock = FileLock(home.with_name(f"{home.name}.lock"), thread_local=False)
        await asyncio.to_thread(lock.acquire, timeout=0)
    except Timeout:
        raise ModelError(f"[translation] folder: another process fetches {home} already. Wait for it.") from None
    except OSError as error:
        raise _no_room(home, error) from None
    try:
        # In a thread: it reads all of the machine's certificates.
        async with asyncio.timeout(LONGEST_FETCH), await asyncio.to_thread(_client, longest_silence) as http:
            return await _fetch(_Fetching(settings, http, clock, show), home, part)
    except TimeoutError:
        raise ModelError(f"{source_of(settings)}: took longer than {LONGEST_FETCH / 3600:.0f} h. {AGAIN}") from None
    except OSError as error:
        raise _no_room(home, error) from None
    finally:
        lock.release()


def _client(longest_silence: float) -> httpx.AsyncClient:
    headers = {"User-Agent": f"Paperwire/{__version__}", "Accept-Encoding": "identity"}
    return httpx.AsyncClient(headers=headers, timeout=longest_silence, follow_redirects=True, max_redirects=3)


@dataclass(frozen=True, slots=True)
class _Fetching:
    settings: Translation
    http: httpx.AsyncClient
    clock: Clock
    show: Show


async def _fetch(fetching: _Fetching, home: Path, part: Path) -> Model:
    settings = fetching.settings
    wanted = await _wanted(fetching)
    for file in wanted.files:
        if not (file.packed_sha256 or file.sha256 or file.name in settings.pins):
            raise ModelError(
                f"{source_of(settings)}: the record of {file.name} holds no SHA-256, and what cannot be verified is "
                "not used. Pin the hash that its source publishes: [translation] pins."
            )
    with suppress(ModelError):
        there = await asyncio.to_thread(verified, settings)
        if [(each.name, each.sha256) for each in there.record.files] == [(f.name, f.sha256) for f in wanted.files]:
            await asyncio.to_thread(shutil.rmtree, part, ignore_errors=True)
            return there
    files = [await _one(fetching, file, part) for file in wanted.files]
    record = Record(
        pair=pair_of(settings.to), version=wanted.version, architecture=wanted.architecture, files=tuple(files)
    )
    await asyncio.to_thread(_put_in_place, record, part, home)
    return await asyncio.to_thread(verified, settings)


def _put_in_place(record: Record, part: Path, home: Path) -> None:
    """Two renames: whoever looks finds the old model, or the new one, or for an instant none, and never a half."""
    for path in part.iterdir():
        if path.name not in {file.name for file in record.files}:
            path.unlink()
    (part / RECORD).write_text(models.written(record), "utf-8")
    old = home.with_name(f"{home.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if home.exists():
        home.rename(old)
    part.rename(home)
    shutil.rmtree(old, ignore_errors=True)


# What is published.


async def _wanted(fetching: _Fetching) -> Wanted:
    settings = fetching.settings
    if settings.mirror:
        base = f"{settings.mirror}/{pair_of(settings.to)}"
        return mirrored(settings, base, await _small(fetching, f"{base}/{RECORD}"))
    return chosen(settings, await _small(fetching, settings.records_url))


async def _small(fetching: _Fetching, url: str) -> bytes:
    """A document of records."""
    params = {} if fetching.settings.mirror else {"sourceLanguage": "en"}

    async def ask() -> bytes:
        body = bytearray()
        async with fetching.http.stream("GET", url, params=params) as response:
            _refuse(fetching.settings, response)
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > LARGEST_RECORDS:
                    raise ModelError(f"{source_of(fetching.settings)}: {url} is larger than any records. {AGAIN}")
        return bytes(body)

    return await _persistently(fetching, url, ask)


# One file.


async def _one(fetching: _Fetching, file: File, part: Path) -> FileRecord:
    """The file, fetched and unpacked, or as an earlier fetch left it. Raises ModelError."""
    path, arriving = part / file.name, part / f"{file.name}{file.packing}.part"
    with suppress(ModelError, FileNotFoundError):
        if file.sha256 is not None:
            return await asyncio.to_thread(_checked, fetching.settings, file, path)
    was_begun = await asyncio.to_thread(_bytes_of, arriving) > 0
    await _persistently(fetching, file.url, lambda: _arrive(fetching, file, arriving))
    try:
        return await asyncio.to_thread(_unpacked, fetching.settings, file, arriving, path)
    except ModelError:
        if not was_begun:
            raise
    # What was here may have been the beginning of another version: once more, from the start.
    await _persistently(fetching, file.url, lambda: _arrive(fetching, file, arriving))
    return await asyncio.to_thread(_unpacked, fetching.settings, file, arriving, path)


async def _arrive(fetching: _Fetching, file: File, arriving: Path) -> None:
    """Add to what has arrived until it is all here."""
    here = await asyncio.to_thread(_bytes_of, arriving)
    if file.packed_size is not None and here == file.packed_size:
        return
    async with fetching.http.stream("GET", file.url, headers={"Range": f"bytes={here}-"} if here else {}) as response:
        if response.status_code != httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            _refuse(fetching.settings, response)
        if response.status_code != httpx.codes.PARTIAL_CONTENT:
            here = 0  # the server has no parts, or not this one
        elif not response.headers.get("Content-Range", "").startswith(f"bytes {here}-"):
            raise _BrokenOffError("another part came than was asked for")
        if not response.is_success:
            await asyncio.to_thread(arriving.unlink)
            raise _BrokenOffError("what was here is no part of it")
        opened = await asyncio.to_thread(arriving.open, "ab" if here else "wb")
        try:
            async for chunk in response.aiter_raw():
                here += len(chunk)
                if here > (file.packed_size or LARGEST):
                    raise _too_large(fetching.settings, file, file.packed_size or LARGEST)
                await asyncio.to_thread(opened.write, chunk)
                fetching.show(file.name, here, file.packed_size or 0)
        finally:
            opened.close()
    if here < (file.packed_size or 0):
        raise _BrokenOffError(f"{here} of {file.packed_size} bytes came")


def _bytes_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


async def _persistently(fetching: _Fetching, url: str, ask: Callable[[], Awaitable[_Got]]) -> _Got:
    """Ask until it is answered, TRIES times at most. Raises ModelError."""
    for number in range(1, TRIES + 1):
        try:
            return await ask()
        except (httpx.HTTPError, httpx.InvalidURL, _BrokenOffError) as error:
            reason = str(error) or type(error).__name__
        if number < TRIES:
            await fetching.clock.sleep(2.0**number)
    raise ModelError(f"{source_of(fetching.settings)}: {url} did not come ({reason}). {AGAIN}")


def _refuse(settings: Translation, response: httpx.Response) -> None:
    status, url = response.status_code, response.url
    if status == httpx.codes.TOO_MANY_REQUESTS or response.is_server_error:
        raise _BrokenOffError(f"HTTP {status}")
    if not response.is_success:
        raise ModelError(f"{source_of(settings)}: {url} answered HTTP {status}. {AGAIN}")
    if response.headers.get("Content-Type", "").startswith("text/html"):
        raise ModelError(f"{source_of(settings)}: {url} is a web page, and no file. {AGAIN}")


def _unpacked(settings: Translation, file: File, arriving: Path, path: Path) -> FileRecord:
    """What arrived, compared with its hashes before and after it was unpacked. What is not right is thrown away."""
    try:
        if file.packed_sha256 and models.digest_of(arriving) != file.packed_sha256:
            raise _damaged(settings, file)
        if file.packing:
            _unpack(settings, file, arriving, path)
        else:
            arriving.replace(path)
        return _checked(settings, file, path)
    except ModelError:
        path.unlink(missing_ok=True)
        raise
    finally:
        arriving.unlink(missing_ok=True)


def _unpack(settings: Translation, file: File, arriving: Path, path: Path) -> None:
    half = path.with_name(f"{path.name}.unpacked")
    most = file.size or LARGEST
    if file.packing == ".zst":
        command = [sys.executable, "-m", "bot.summaries.translation.unpack", str(arriving), str(half)]
        try:
            # Nobody else's words are in this command: the names were checked.
            subprocess.run(command, check=True, capture_output=True, timeout=LONGEST_UNPACKING)  # noqa: S603 -- see above
        except subprocess.SubprocessError:
            raise _damaged(settings, file) from None
    else:
        try:
            with gzip.open(arriving) as packed, half.open("wb") as unpacked:
                while unpacked.tell() <= most and (block := packed.read(_BLOCK)):
                    unpacked.write(block)
        except (EOFError, gzip.BadGzipFile, zlib.error):
            raise _damaged(settings, file) from None
    if half.stat().st_size > most:
        raise _too_large(settings, file, most)
    half.replace(path)


def _checked(settings: Translation, file: File, path: Path) -> FileRecord:
    digest = models.digest_of(path)
    if file.sha256 not in (None, digest):
        raise _damaged(settings, file)
    record = FileRecord(name=file.name, sha256=digest, size=path.stat().st_size)
    models.compare(file.url, digest, record, settings.pins)
    return record


# What went wrong, in one line.


def _damaged(settings: Translation, file: File) -> ModelError:
    return ModelError(f"{source_of(settings)}: what came from {file.url} has not the SHA-256 of its record. {AGAIN}")


def _too_large(settings: Translation, file: File, most: int) -> ModelError:
    return ModelError(f"{source_of(settings)}: {file.url} is larger than {most} bytes. {AGAIN}")


def _no_room(home: Path, error: OSError) -> ModelError:
    return ModelError(
        f"[translation] folder: {home} cannot be written ({error.strerror or error}). Give another folder, or room."
    )
