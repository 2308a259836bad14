"""Fetching translation models: from records or a mirror, resumed, verified, and never a half one in use."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from filelock import FileLock
from structlog.testing import capture_logs

from bot.clock import WallClock
from bot.config import Translation
from bot.summaries.translation.fetch import FIRST_REST, TRIES, ensure_model, fetch, verified
from bot.summaries.translation.firefox import FirefoxTranslator
from bot.summaries.translation.models import RECORD, ModelError
from tests.builders import HandClock
from tests.servers.models import Fault, ModelsStub
from tests.terminal import Terminal
from tests.toy import MODEL, SENTENCES, SOURCE, TARGET, TOY, digest, put_model, settings

FILES = {MODEL, SOURCE, TARGET, RECORD}


@pytest.fixture
async def publisher() -> AsyncIterator[ModelsStub]:
    async with ModelsStub() as stub:
        yield stub


def of(publisher: ModelsStub, folder: Path, **values: Any) -> Translation:
    """Settings that fetch from this publisher."""
    return settings(folder, records_url=publisher.records_url, files_url=publisher.files_url, **values)


def parts(publisher: ModelsStub, name: str = MODEL) -> list[str | None]:
    """Which parts of a file were asked for, request by request."""
    return [request.part for request in publisher.requests if name in request.path]


async def test_a_fetched_model_is_verified_in_its_folder_and_translates(
    publisher: ModelsStub, tmp_path: Path, clock: HandClock
) -> None:
    publisher.publish(TOY)
    seen: list[tuple[str, int, int]] = []
    model = await fetch(of(publisher, tmp_path), clock, lambda *what: seen.append(what))
    assert model.name == "firefox en-zh 3.0"
    assert {path.name for path in (tmp_path / "en-zh").iterdir()} == FILES
    assert {name for name, here, total in seen if here == total} == {MODEL, SOURCE, TARGET}
    translator = FirefoxTranslator(settings(tmp_path), WallClock())
    assert await translator.translate(list(SENTENCES)) == list(SENTENCES.values())
    await translator.close()


async def test_a_model_that_may_not_be_fetched_is_missed_once_in_the_log(tmp_path: Path) -> None:
    translator = FirefoxTranslator(settings(tmp_path, download=False), WallClock())
    with capture_logs() as logs:
        for _ in range(3):
            translator.need()
            assert translator._fetching
            await asyncio.wait([translator._fetching])
    await translator.close()
    assert [line["event"] for line in logs] == ["translation.no_model"]


@pytest.mark.parametrize("packing", [".zst", ".gz", ""])
async def test_files_are_unpacked_however_they_travel(
    publisher: ModelsStub, tmp_path: Path, clock: HandClock, packing: str
) -> None:
    publisher.publish(TOY, packing=packing)
    await fetch(of(publisher, tmp_path), clock)
    assert {name: digest(tmp_path / "en-zh" / name) for name in (MODEL, SOURCE, TARGET)} == {
        name: digest(TOY / name) for name in (MODEL, SOURCE, TARGET)
    }


async def test_a_model_that_is_there_is_not_fetched_again(
    publisher: ModelsStub, tmp_path: Path, clock: HandClock
) -> None:
    publisher.publish(TOY)
    await fetch(of(publisher, tmp_path), clock)
    publisher.requests.clear()
    await fetch(of(publisher, tmp_path), clock)
    assert [request.path for request in publisher.requests] == ["/records"]
    assert not (tmp_path / "en-zh.part").exists()


@pytest.mark.parametrize(
    ("others", "version"),
    [
        ([{"version": "3.0"}, {"version": "3.10"}, {"version": "3.9"}], "3.10"),
        ([{"version": "3.0"}, {"version": "4.0"}, {"version": "2.1"}], "3.0"),
        ([{"version": "3.0"}, {"version": "3.5", "filter_expression": "env.channel == 'nightly'"}], "3.0"),
        ([{"version": "3.0"}, {"version": "3.1", "sourceLanguage": "de"}], "3.0"),
        ([{"version": "3.0"}, {"version": "3.1", "to": "zh-Hant"}], "3.0"),
        ([{"version": "3.1", "to": "zh-Hans"}], "3.1"),
        ([{"version": "3.0"}, {"version": "3.1", "fileType": "lex"}], "3.0"),
        ([{"version": "3.0"}, {"version": "3.1", "attachment": {"location": "a/../../etc"}}], "3.0"),
    ],
)
async def test_the_newest_released_model_that_can_be_read_is_chosen(
    publisher: ModelsStub, tmp_path: Path, clock: HandClock, others: list[dict[str, Any]], version: str
) -> None:
    for other in others:
        publisher.publish(TOY, **other)
    assert (await fetch(of(publisher, tmp_path), clock)).record.version == version


async def test_another_language_is_fetched_by_the_same_code(
    publisher: ModelsStub, tmp_path: Path, clock: HandClock
) -> None:
    publisher.publish(put_model(tmp_path / "source", pair="en-ja"), to="ja")
    model = await fetch(of(publisher, tmp_path, to="ja"), clock)
    assert (model.name, model.folder) == ("firefox en-ja 3.0", tmp_path / "en-ja")


# What breaks off.


@pytest.mark.parametrize(
    ("faults", "parts_asked"),
    [
        (["cut"], 2),
        (["cut", "cut", "500"], 4),
        (["500"], 2),
        (["stall"], 2),
    ],
)
async def test_what_breaks_off_goes_on_where_it_was(
    publisher: ModelsStub, tmp_path: Path, clock: HandClock, faults: list[Fault], parts_asked: int
) -> None:
    publisher.publish(TOY)
    publisher.faults[publisher.path_of(MODEL)] = list(faults)
    await fetch(of(publisher, tmp_path), clock, longest_silence=1.0)
    asked = parts(publisher)
    assert len(asked) == parts_asked
    assert (asked[-1] is not None) == (faults != ["500"])


async def test_a_later_fetch_goes_on_where_an_earlier_one_gave_up(
    publisher: ModelsStub, tmp_path: Path, clock: HandClock
) -> None:
    publisher.publish(TOY)
    publisher.faults[publisher.path_of(MODEL)] = ["cut", *["500" for _ in range(TRIES - 1)]]
    with pytest.raises(ModelError, match="did not come") as caught:
        await fetch(of(publisher, tmp_path), clock)
    assert "files_url" in str(caught.value)
    assert not (tmp_path / "en-zh").exists()
    publisher.requests.clear()
    await fetch(of(publisher, tmp_path), clock)
    (asked,) = parts(publisher)
    assert asked is not None


async def test_a_fetch_that_is_cancelled_in_the_middle_leaves_no_model_and_can_go_on(
    publisher: ModelsStub, tmp_path: Path, clock: HandClock
) -> None:
    publisher.publish(TOY)
    publisher.faults[publisher.path_of(MODEL)] = ["stall"]
    fetching = asyncio.create_task(fetch(of(publisher, tmp_path), clock))
    await publisher.half_way.wait()
    fetching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetching
    with pytest.raises(ModelError, match="is missing"):
        verified(settings(tmp_path))
    await fetch(of(publisher, tmp_path), clock)
    assert verified(settings(tmp_path)).name == "firefox en-zh 3.0"


async def test_a_server_without_parts_is_asked_for_the_whole_again(
    publisher: ModelsStub, tmp_path: Path, clock: HandClock
) -> None:
    publisher.publish(TOY)
    publisher.has_parts = False
    publisher.faults[publisher.path_of(MODEL)] = ["cut"]
    assert (await fetch(of(publisher, tmp_path), clock)).name == "firefox en-zh 3.0"


async def test_the_beginning_of_another_version_is_thrown_away(
    publisher: ModelsStub, tmp_path: Path, clock: HandClock
) -> None:
    publisher.publish(TOY)
    (tmp_path / "en-zh.part").mkdir()
    (tmp_path / "en-zh.part" / f"{MODEL}.zst.part").write_bytes(b"of an older version")
    assert (await fetch(of(publisher, tmp_path), clock)).name == "firefox en-zh 3.0"
    assert len(parts(publisher)) == 2


async def test_more_than_there_is_was_here_already(publisher: ModelsStub, tmp_path: Path, clock: HandClock) -> None:
    publisher.publish(TOY)
    (tmp_path / "en-zh.part").mkdir()
    (tmp_path / "en-zh.part" / f"{MODEL}.zst.part").write_bytes(bytes(300_000))
    assert (await fetch(of(publisher, tmp_path), clock)).name == "firefox en-zh 3.0"


# What is refused.


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("404", ["files_url", "HTTP 404"]),
        ("html", ["files_url", "is a web page"]),
        ("other bytes", ["files_url", "has not the SHA-256 of its record"]),
    ],
)
async def test_what_is_not_the_file_is_refused_and_the_old_model_stays(
    publisher: ModelsStub, tmp_path: Path, clock: HandClock, fault: Fault, said: list[str]
) -> None:
    put_model(tmp_path, version="2.9")
    publisher.publish(TOY, version="3.3", decompressedHash="0" * 64)
    publisher.faults[publisher.path_of(MODEL)] = [fault]
    with pytest.raises(ModelError) as caught:
        await fetch(of(publisher, tmp_path), clock)
    assert [part for part in [*said, MODEL, "paperwire models fetch"] if part not in str(caught.value)] == []
    assert verified(settings(tmp_path)).record.version == "2.9"


async def test_what_unpacks_to_something_else_than_the_record_says_is_refused(
    publisher: ModelsStub, tmp_path: Path, clock: HandClock
) -> None:
    publisher.publish(TOY, decompressedHash="0" * 64)
    with pytest.raises(ModelError, match="has not the SHA-256"):
        await fetch(of(publisher, tmp_path), clock)
    assert not list((tmp_path / "en-zh.part").glob("*.zst.part"))


@pytest.mark.parametrize("packing", [".zst", ".gz"])
async def test_what_cannot_be_unpacked_is_refused_though_its_hash_is_right(
    publisher: ModelsStub, tmp_path: Path, clock: HandClock, packing: str
) -> None:
    publisher.publish(TOY, packing=packing)
    body = publisher.published.bodies[publisher.path_of(MODEL)][:-100]
    publisher.published.bodies[publisher.path_of(MODEL)] = body
    (record,) = (record for record in publisher.published.records if record["name"] == MODEL)
    record["attachment"] |= {"hash": hashlib.sha256(body).hexdigest(), "size": len(body)}
    with pytest.raises(ModelError, match="has not the SHA-256"):
        await fetch(of(publisher, tmp_path), clock)
    assert not (tmp_path / "en-zh").exists()


@pytest.mark.parametrize("packing", [".zst", ".gz"])
async def test_what_unpacks_to_more_than_its_record_says_is_refused(
    publisher: ModelsStub, tmp_path: Path, clock: HandClock, packing: str
) -> None:
    publisher.publish(TOY, packing=packing, decompressedSize=1000)
    with pytest.raises(ModelError, match="is larger than 1000 bytes"):
        await fetch(of(publisher, tmp_path), clock)


async def test_a_file_that_is_larger_than_its_record_says_is_refused(
    publisher: ModelsStub, tmp_path: Path, clock: HandClock
) -> None:
    publisher.publish(TOY)
    publisher.published.bodies[publisher.path_of(MODEL)] += b"and more"
    with pytest.raises(ModelError, match=r"is larger than \d+ bytes"):
        await fetch(of(publisher, tmp_path), clock)


def without_hashes(publisher: ModelsStub) -> None:
    for record in publisher.published.records:
        del record["attachment"]["hash"]


async def test_a_record_without_a_hash_is_refused_before_anything_is_fetched(
    publisher: ModelsStub, tmp_path: Path, clock: HandClock
) -> None:
    publisher.publish(TOY, decompressedHash=None)
    without_hashes(publisher)
    with pytest.raises(ModelError, match="holds no SHA-256") as caught:
        await fetch(of(publisher, tmp_path), clock)
    assert "[translation] pins" in str(caught.value)
    assert [request.path for request in publisher.requests] == ["/records"]


async def test_a_pinned_hash_stands_in_for_the_records(publisher: ModelsStub, tmp_path: Path, clock: HandClock) -> None:
    publisher.publish(TOY, decompressedHash=None)
    without_hashes(publisher)
    pins = {name: digest(TOY / name) for name in (MODEL, SOURCE, TARGET)}
    assert (await fetch(of(publisher, tmp_path, pins=pins), clock)).name == "firefox en-zh 3.0"


async def test_a_model_that_is_not_the_pinned_one_is_refused(
    publisher: ModelsStub, tmp_path: Path, clock: HandClock
) -> None:
    publisher.publish(TOY)
    with pytest.raises(ModelError, match=r"\[translation\] pins") as caught:
        await fetch(of(publisher, tmp_path, pins={MODEL: "0" * 64}), clock)
    assert MODEL in str(caught.value)
    assert not (tmp_path / "en-zh").exists()


@pytest.mark.parametrize("fault", ["html", "404"])
async def test_records_that_are_none_are_told_with_key_and_address(
    publisher: ModelsStub, tmp_path: Path, clock: HandClock, fault: Fault
) -> None:
    publisher.faults["/records"] = [fault]
    with pytest.raises(ModelError) as caught:
        await fetch(of(publisher, tmp_path), clock)
    assert all(part in str(caught.value) for part in ("records_url", publisher.records_url))


async def test_a_language_without_a_model_is_told(publisher: ModelsStub, tmp_path: Path, clock: HandClock) -> None:
    publisher.publish(TOY)
    with pytest.raises(ModelError, match=r'\[translation\] to: there is no model from English into "fr"'):
        await fetch(of(publisher, tmp_path, to="fr"), clock)


async def test_nobody_fetches_beside_another_process(publisher: ModelsStub, tmp_path: Path, clock: HandClock) -> None:
    publisher.publish(TOY)
    with FileLock(tmp_path / "en-zh.lock"), pytest.raises(ModelError, match="another process"):
        await fetch(of(publisher, tmp_path), clock)


async def test_a_folder_that_cannot_be_written_is_told(publisher: ModelsStub, tmp_path: Path, clock: HandClock) -> None:
    (tmp_path / "models").write_text("a file")
    with pytest.raises(ModelError, match=r"\[translation\] folder: .* cannot be written"):
        await fetch(of(publisher, tmp_path / "models"), clock)


# A mirror, and no network.


async def test_a_mirror_is_a_copy_of_the_folder(publisher: ModelsStub, tmp_path: Path, clock: HandClock) -> None:
    mirror = publisher.mirror(put_model(tmp_path / "source", version="3.7"))
    model = await fetch(settings(tmp_path / "here", mirror=mirror), clock)
    assert model.name == "firefox en-zh 3.7"
    assert all(request.path.startswith("/mirror/en-zh/") for request in publisher.requests)


async def test_a_mirror_with_a_damaged_file_is_refused(publisher: ModelsStub, tmp_path: Path, clock: HandClock) -> None:
    mirror = publisher.mirror(put_model(tmp_path / "source"))
    publisher.faults[f"/mirror/en-zh/{MODEL}"] = ["other bytes"]
    with pytest.raises(ModelError, match=r"\[translation\] mirror: .* has not the SHA-256"):
        await fetch(settings(tmp_path / "here", mirror=mirror), clock)


async def test_a_mirror_of_another_pair_is_refused(publisher: ModelsStub, tmp_path: Path, clock: HandClock) -> None:
    mirror = publisher.mirror(put_model(tmp_path / "source", pair="en-ja"))
    with pytest.raises(ModelError, match=r"\[translation\] mirror: .* is of en-ja"):
        await fetch(settings(tmp_path / "here", mirror=mirror), clock)


async def test_a_model_in_the_folder_needs_no_network(tmp_path: Path, clock: HandClock) -> None:
    put_model(tmp_path)
    nobody = settings(tmp_path, records_url="http://127.0.0.1:9", files_url="http://127.0.0.1:9")
    model = await ensure_model(nobody, clock)
    assert model is not None
    assert model.name == "firefox en-zh 3.0"


# By itself.


async def test_a_missing_model_is_fetched_by_itself(publisher: ModelsStub, tmp_path: Path, clock: HandClock) -> None:
    publisher.publish(TOY)
    model = await ensure_model(of(publisher, tmp_path), clock)
    assert model is not None
    assert verified(settings(tmp_path)) == model


async def test_a_damaged_model_is_fetched_anew_by_itself(
    publisher: ModelsStub, tmp_path: Path, clock: HandClock
) -> None:
    publisher.publish(TOY)
    (put_model(tmp_path) / MODEL).write_bytes(b"half")
    assert await ensure_model(of(publisher, tmp_path), clock) is not None


async def test_a_publisher_in_trouble_is_asked_ever_more_seldom_and_each_cause_is_told_once(
    publisher: ModelsStub, tmp_path: Path, clock: HandClock
) -> None:
    publisher.publish(TOY)
    publisher.faults["/records"] = ["404", "404", "404", "html", "html"]
    began = clock.now()
    with structlog.testing.capture_logs() as logs:
        assert await ensure_model(of(publisher, tmp_path), clock) is not None
    told = [entry["reason"] for entry in logs if entry["event"] == "translation.not_fetched"]
    assert ["HTTP 404" in told[0], "is a web page" in told[1]] == [True, True]
    assert len(told) == 2
    assert (clock.now() - began).total_seconds() == sum(FIRST_REST * 2**failure for failure in range(5))


async def test_nothing_is_fetched_where_that_is_not_allowed(
    publisher: ModelsStub, tmp_path: Path, clock: HandClock
) -> None:
    publisher.publish(TOY)
    assert await ensure_model(of(publisher, tmp_path, download=False), clock) is None
    assert publisher.requests == []


# At the terminal.


def terminal(folder: Path, publisher: ModelsStub) -> Terminal:
    return Terminal(folder, {}).with_settings(
        translation__records_url=publisher.records_url, translation__files_url=publisher.files_url
    )


async def test_an_operator_fetches_a_model_and_sees_it_listed(publisher: ModelsStub, tmp_path: Path) -> None:
    publisher.publish(TOY)
    there = terminal(tmp_path, publisher)
    before = await there.runs("models")
    assert before.code == 1
    assert "is missing. Run: paperwire models fetch" in " ".join(before.out.split())
    fetched = await there.runs("models", "fetch")
    assert (fetched.code, fetched.out) == (0, "data/models/en-zh holds firefox en-zh 3.0, verified, of 0.7 MB.\n")
    after = await there.runs("models")
    assert after.code == 0
    assert [
        part for part in ("*", "en-zh", "3.0", "0.7 MB", "data/models/en-zh", "verified") if part not in after.out
    ] == []


async def test_an_operator_who_cannot_fetch_is_told_why_in_one_line(publisher: ModelsStub, tmp_path: Path) -> None:
    there = terminal(tmp_path, publisher)
    none = await there.runs("models", "fetch", "--to", "ja")
    assert (none.code, none.err.strip().splitlines()[-1][:50]) == (
        1,
        "[translation] to: there is no model from English i",
    )
    wrong = await there.runs("models", "fetch", "--to", "Klingon")
    assert (wrong.code, wrong.err[:52]) == (1, "--to Klingon: is no language to translate English in")


def test_the_toy_is_the_one_that_the_tests_know() -> None:
    assert hashlib.sha256((TOY / MODEL).read_bytes()).hexdigest().startswith("e39d6aeeb3e1")
