"""Metrics: what a process counts and measures of itself, as Prometheus reads it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import choose_encoder

_MINUTE, _HOUR, _DAY = 60, 60 * 60, 24 * 60 * 60
_WAITS = (0.05, 0.25, 1, 2, 5, 10, 30, _MINUTE, 5 * _MINUTE, 15 * _MINUTE, _HOUR, 6 * _HOUR, _DAY)
_DELIVERY = (
    *(minutes * _MINUTE for minutes in (1, 5, 15, 30)),
    *(hours * _HOUR for hours in (1, 2, 4, 8, 12)),
    *(days * _DAY for days in (1, 2, 4, 7)),
)


@dataclass(frozen=True, slots=True)
class Depth:
    """How many Messages of a platform are in a state, and when the oldest that is still to leave was written.

    `oldest_at` is None for states in which nothing is still to leave.
    """

    platform: str
    state: str
    messages: int
    oldest_at: datetime | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the database says at a scrape: the outbox, and the day (aware UTC) of each category's last announcement."""

    depths: Sequence[Depth] = ()
    announced: Mapping[str, datetime] = field(default_factory=dict)


class Metrics:
    """One process's metrics, in a registry of their own. Names and units: https://prometheus.io/docs/practices/naming/

    Whoever knows that something happened says so here: `metrics.sends.labels("telegram", "sent").inc()`.
    """

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        counter = partial(Counter, registry=self._registry)
        gauge = partial(Gauge, registry=self._registry)
        histogram = partial(Histogram, registry=self._registry)
        self.sends = counter("paperwire_sends", "Attempts to send, by what became of them.", ("platform", "outcome"))
        self.waits = histogram(
            "paperwire_wait_seconds", "For how long due messages waited for their turn.", ("platform",), buckets=_WAITS
        )
        self.delivery = histogram(
            "paperwire_announcement_to_delivery_seconds",
            "From the first sight of a paper in a feed to its delivery.",
            buckets=_DELIVERY,
        )
        self.digests = counter("paperwire_digests_composed", "Digests composed, by occasion.", ("occasion",))
        self.recovered = counter("paperwire_recovered_messages", "Messages in flight when a process was killed.")
        self.arxiv_requests = counter(
            "paperwire_arxiv_requests", "Requests to arXiv, by its host and what became of them.", ("host", "result")
        )
        self.stale_documents = counter(
            "paperwire_stale_documents", "Feed documents that repeated an earlier announcement.", ("category",)
        )
        self.filled = counter(
            "paperwire_filled_papers", "Papers that no feed had brought, by the source that had them.", ("source",)
        )
        self.alerts = counter("paperwire_alerts", "What operators were told of.", ("cause",))
        self.summaries = counter("paperwire_summaries_written", "Summaries, by who wrote them.", ("engine",))
        self.rejections = counter(
            "paperwire_replies_rejected", "Replies of a model that a guard did not let pass.", ("guard",)
        )
        self.model_requests = counter(
            "paperwire_model_requests", "Requests to a model, by what became of them.", ("result",)
        )
        self.model_tokens = counter(
            "paperwire_model_tokens", "Tokens that a model read (in) and wrote (out).", ("direction",)
        )
        self.model_cost = counter("paperwire_model_cost", "What that costs, in the currency of the set prices.")
        self.loop_lag = gauge("paperwire_event_loop_lag_seconds", "One turn of the event loop at this scrape.")
        # Each process tells these three of the one database: take their max(), not their sum().
        self._messages = gauge("paperwire_outbox_messages", "Messages by state.", ("platform", "state"))
        self._oldest = gauge(
            "paperwire_outbox_oldest_age_seconds", "Age of the oldest message still to leave.", ("platform",)
        )
        self._announced = gauge(
            "paperwire_last_announcement_timestamp_seconds",
            "When the day of the last announcement that brought papers began, by category.",
            ("category",),
        )

    def exposition(self, snapshot: Snapshot, now: datetime, accept: str = "") -> tuple[bytes, str]:
        """Everything in the format that a scraper accepts, and that format's media type."""
        ages: defaultdict[str, float] = defaultdict(float)
        self._announced.clear()
        for category, day in snapshot.announced.items():
            self._announced.labels(category).set(day.timestamp())
        self._messages.clear()
        self._oldest.clear()
        for depth in snapshot.depths:
            self._messages.labels(depth.platform, depth.state).set(depth.messages)
            age = (now - depth.oldest_at).total_seconds() if depth.oldest_at is not None else 0.0
            ages[depth.platform] = max(ages[depth.platform], age)
        for platform, age in ages.items():
            self._oldest.labels(platform).set(age)
        encode, media_type = choose_encoder(accept)
        return encode(self._registry), media_type
