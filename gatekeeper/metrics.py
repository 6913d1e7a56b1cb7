"""The metrics of all processes: one list of names with units and meanings, shown in the text form of Prometheus.

Labels are bounded: verdicts, codes, topics, partitions. None of them names a person, a campaign or a list.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

CONTENT_TYPE = CONTENT_TYPE_LATEST
"""The media type of a page."""
LATENCIES = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 3_600.0)
"""Bounds of a histogram's buckets, in seconds."""


class Metric(NamedTuple):
    """A metric: its name with its unit, what it says, and its labels. A counter's samples end with `_total`."""

    kind: Literal["counter", "gauge", "histogram"]
    name: str
    help: str
    labels: tuple[str, ...] = ()


SENDS_DECIDED = Metric(
    "counter",
    "gatekeeper_sends_decided",
    "Sends decided and committed. `reason`: the primary code, empty for a clear one. Channel and class are empty if the"
    " send could not be read.",
    ("verdict", "reason", "channel", "message_class"),
)
PUBLISHED_TO_DECIDED = Metric(
    "histogram",
    "gatekeeper_publish_to_decision_seconds",
    "Seconds from a send's timestamp on the broker to the commit of its decision.",
)
TAKEN_TO_DECIDED = Metric(
    "histogram",
    "gatekeeper_decision_seconds",
    "Seconds from when a batch of sends was taken up to the commit of its decisions, barrier and judging included.",
)
BARRIER = Metric(
    "histogram", "gatekeeper_barrier_seconds", "Seconds that a batch waited until all acknowledged facts were applied."
)
TRANSACTION = Metric("histogram", "gatekeeper_transaction_seconds", "Seconds that Kafka took to commit a transaction.")
SENDS_LAG = Metric("gauge", "gatekeeper_sends_lag_records", "Sends published and not decided.", ("partition",))
SENDS_LAG_SECONDS = Metric(
    "gauge", "gatekeeper_sends_lag_seconds", "Age of the oldest send that waits in the worker.", ("partition",)
)
FACTS_APPLIED = Metric("counter", "gatekeeper_facts_applied", "Facts applied since the start.", ("topic",))
FACTS_AGE = Metric(
    "gauge", "gatekeeper_facts_age_seconds", "Seconds since all acknowledged facts were known to be applied."
)
FACT_EFFECT = Metric(
    "histogram",
    "gatekeeper_fact_effect_seconds",
    "Seconds from a fact's timestamp on the broker until it binds. Withdrawals are on `consents` and `suppressions`.",
    ("topic",),
)
FACTS_UNREADABLE = Metric("gauge", "gatekeeper_facts_unreadable", "Unreadable facts that nobody has resolved.")
PEOPLE = Metric("gauge", "gatekeeper_people", "People of whom facts are known.")
PARTITION_OWNED = Metric("gauge", "gatekeeper_partition_owned", "1 for each partition of this worker.", ("partition",))
PARTITION_REFUSED = Metric(
    "gauge", "gatekeeper_partition_refused", "1 for each refused partition of this worker.", ("partition", "reason")
)
PARTITION_WAITING = Metric(
    "gauge",
    "gatekeeper_partition_waiting",
    "1 for each partition that judges nothing at the moment.",
    ("partition", "cause"),
)
TURNS_ENDED = Metric(
    "counter", "gatekeeper_turns_ended", "Turns of a partition that ended by themselves, by log event.", ("cause",)
)
LEDGER_PEOPLE = Metric(
    "gauge", "gatekeeper_ledger_people", "People with entries in the ledger of a partition.", ("partition",)
)
CLOCK_OFF = Metric("gauge", "gatekeeper_clock_off_seconds", "Seconds by which the clock differs from the broker's.")
READY = Metric("gauge", "gatekeeper_ready", "1 while /readyz answers 200.")

METRICS = tuple(one for one in list(globals().values()) if isinstance(one, Metric))
"""All metrics, beside those of the process itself (`process_…`)."""


def joined(pages: Mapping[str, str]) -> bytes:
    """The pages of several processes as one. Each sample gets a label `process` with the page's name."""
    families = dict[str, Family]()
    for process, page in pages.items():
        for family in text_string_to_metric_families(page):
            whole = families.setdefault(family.name, Family(family.name, family.documentation, family.type))
            for sample in family.samples:
                whole.add_sample(sample.name, {**sample.labels, "process": process}, sample.value)
    registry = CollectorRegistry()
    registry.register(_Read(families.values()))
    return generate_latest(registry)


class _Read(Collector):
    """Families that were read from pages."""

    def __init__(self, families: Iterable[Family]) -> None:
        self._families = tuple(families)

    def collect(self) -> Iterable[Family]:
        return self._families


class Metrics:
    """The metrics of one process; its page shows those that were given a value."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._made: dict[str, Counter | Gauge | Histogram] = {}
        ProcessCollector(registry=self._registry)

    def count(self, metric: Metric, *labels: str, n: int = 1) -> None:
        """Adds to a counter."""
        found = self._of(metric)
        assert isinstance(found, Counter)
        (found.labels(*labels) if labels else found).inc(n)

    def observe(self, metric: Metric, seconds: float, *labels: str) -> None:
        """Adds a value to a histogram; one below 0, as of a clock that is off, counts as 0."""
        found = self._of(metric)
        assert isinstance(found, Histogram)
        (found.labels(*labels) if labels else found).observe(max(0.0, seconds))

    def set(self, metric: Metric, value: float) -> None:
        """Sets a gauge without labels."""
        found = self._of(metric)
        assert isinstance(found, Gauge)
        found.set(value)

    def replace(self, metric: Metric, values: Mapping[tuple[str, ...], float]) -> None:
        """Sets a gauge for these labels, and for no others any more."""
        found = self._of(metric)
        assert isinstance(found, Gauge)
        found.clear()
        for labels, value in values.items():
            found.labels(*labels).set(value)

    def page(self) -> bytes:
        """The page that Prometheus reads."""
        return generate_latest(self._registry)

    def _of(self, metric: Metric) -> Counter | Gauge | Histogram:
        found = self._made.get(metric.name)
        if found is None:
            found = self._made[metric.name] = self._new(metric)
        return found

    def _new(self, metric: Metric) -> Counter | Gauge | Histogram:
        if metric.kind == "histogram":
            return Histogram(metric.name, metric.help, metric.labels, registry=self._registry, buckets=LATENCIES)
        made = Counter if metric.kind == "counter" else Gauge
        return made(metric.name, metric.help, metric.labels, registry=self._registry)
