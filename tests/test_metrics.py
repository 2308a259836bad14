"""A process's metrics, read as Prometheus reads them."""

from collections.abc import Iterable
from datetime import timedelta

import pytest
from prometheus_client import Metric, parser
from prometheus_client.openmetrics import parser as openmetrics

from bot.delivery.port import Gone, Instead, Moved, Outcome, Refused, Sent, Shut, Uncertain, Wait
from bot.metrics import Depth, Metrics, Snapshot
from tests.builders import MONDAY

OPENMETRICS = "application/openmetrics-text;version=1.0.0"
ONE_OF_EACH: tuple[Outcome, ...] = (
    Sent("1"),
    Wait(""),
    Uncertain(""),
    Refused(""),
    Instead((), ""),
    Gone(""),
    Shut(""),
    Moved("-100"),
)


def values(families: Iterable[Metric]) -> dict[tuple[str, ...], float]:
    """By name and label values in the order of the labels' names; buckets and times of creation left out."""
    return {
        (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in families
        for sample in family.samples
        if not sample.name.endswith(("_created", "_bucket"))
    }


def scraped(metrics: Metrics, *depths: Depth) -> dict[tuple[str, ...], float]:
    text, _ = metrics.exposition(Snapshot(depths), MONDAY)
    return values(parser.text_string_to_metric_families(text.decode()))


def test_what_happened_is_counted_by_what_it_was() -> None:
    metrics = Metrics()
    for outcome in ONE_OF_EACH:
        metrics.sends.labels("telegram", type(outcome).__name__.lower()).inc()
    metrics.sends.labels("discord", "sent").inc(2)
    metrics.digests.labels("daily").inc()
    metrics.alerts.labels("second_poller").inc()
    metrics.recovered.inc(3)
    shown = scraped(metrics)
    assert {key[1:]: value for key, value in shown.items() if key[0] == "paperwire_sends_total"} == {
        **{(outcome, "telegram"): 1 for outcome in ("sent", "wait", "uncertain", "refused", "instead", "gone", "shut")},
        ("moved", "telegram"): 1,
        ("sent", "discord"): 2,
    }
    assert shown["paperwire_digests_composed_total", "daily"] == 1
    assert shown["paperwire_alerts_total", "second_poller"] == 1
    assert shown["paperwire_recovered_messages_total",] == 3


@pytest.mark.parametrize(
    ("took", "at_most"),
    [
        (timedelta(seconds=20), timedelta(minutes=1)),
        (timedelta(minutes=40), timedelta(hours=1)),
        (timedelta(hours=20), timedelta(days=1)),
        (timedelta(days=3), timedelta(days=4)),
    ],
)
def test_the_way_from_announcement_to_delivery_is_measured_from_minutes_to_days(
    took: timedelta, at_most: timedelta
) -> None:
    metrics = Metrics()
    metrics.delivery.observe(took.total_seconds())
    text = metrics.exposition(Snapshot(), MONDAY)[0].decode()
    name = "paperwire_announcement_to_delivery_seconds"
    buckets = [
        float(sample.labels["le"])
        for family in parser.text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == f"{name}_bucket" and sample.value
    ]
    assert min(buckets) == at_most.total_seconds()
    assert scraped(metrics)[f"{name}_sum",] == took.total_seconds()


def test_waits_are_measured_a_platform() -> None:
    metrics = Metrics()
    metrics.waits.labels("telegram").observe(0.5)
    metrics.waits.labels("telegram").observe(3)
    shown = scraped(metrics)
    assert shown["paperwire_wait_seconds_count", "telegram"] == 2
    assert shown["paperwire_wait_seconds_sum", "telegram"] == 3.5


def test_the_outbox_shows_its_depth_by_state_and_the_age_of_its_oldest_open_message() -> None:
    shown = scraped(
        Metrics(),
        Depth("telegram", "pending", 40, MONDAY - timedelta(minutes=5)),
        Depth("telegram", "uncertain", 1, MONDAY - timedelta(minutes=9)),
        Depth("telegram", "failed", 7, None),
        Depth("discord", "failed", 2, None),
    )
    assert {key[1:]: value for key, value in shown.items() if key[0] == "paperwire_outbox_messages"} == {
        ("telegram", "pending"): 40,
        ("telegram", "uncertain"): 1,
        ("telegram", "failed"): 7,
        ("discord", "failed"): 2,
    }
    assert shown["paperwire_outbox_oldest_age_seconds", "telegram"] == 9 * 60
    assert shown["paperwire_outbox_oldest_age_seconds", "discord"] == 0


def test_a_state_that_is_empty_by_now_is_shown_no_more() -> None:
    metrics = Metrics()
    scraped(metrics, Depth("telegram", "pending", 40, MONDAY))
    assert not [key for key in scraped(metrics) if key[0].startswith("paperwire_outbox")]


def test_two_sets_of_metrics_do_not_know_each_other() -> None:
    one, other = Metrics(), Metrics()
    one.recovered.inc()
    assert scraped(other)["paperwire_recovered_messages_total",] == 0


def test_a_scraper_gets_the_format_that_it_asks_for() -> None:
    metrics = Metrics()
    metrics.sends.labels("web", "sent").inc()
    text, media_type = metrics.exposition(Snapshot(), MONDAY, OPENMETRICS)
    assert media_type.startswith("application/openmetrics-text")
    shown = values(openmetrics.text_string_to_metric_families(text.decode()))
    assert shown["paperwire_sends_total", "sent", "web"] == 1
    assert metrics.exposition(Snapshot(), MONDAY)[1].startswith("text/plain")
    assert scraped(metrics).keys() == shown.keys()


def test_the_process_shows_its_memory_too() -> None:
    assert scraped(Metrics())["process_resident_memory_bytes",] > 1_000_000
