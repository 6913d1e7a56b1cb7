"""The metrics of one process as a page in the text form of Prometheus; the pages of several as one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from gatekeeper.ground.metrics import LATENCIES, Metric, Values

CONTENT_TYPE = CONTENT_TYPE_LATEST
"""The media type of a page."""
log = structlog.get_logger(__name__)


def joined(pages: Iterable[tuple[str, str]]) -> bytes:
    """The pages of several processes as one. Each sample gets a label `process` with the name before its page."""
    families = dict[str, Family]()
    for process, page in pages:
        for family in text_string_to_metric_families(page):
            whole = families.setdefault(family.name, Family(family.name, family.documentation, family.type))
            for sample in family.samples:
                whole.add_sample(sample.name, {**sample.labels, "process": process}, sample.value)
    registry = CollectorRegistry()
    registry.register(_Found(families.values))
    return generate_latest(registry)


def page(values: Values) -> bytes:
    """A page with these values alone."""
    registry = CollectorRegistry()
    registry.register(_Found(lambda: _families(values)))
    return generate_latest(registry)


class _Found(Collector):
    """Families that are found when a page is asked for. An error leaves them out, and is logged."""

    def __init__(self, find: Callable[[], Iterable[Family]]) -> None:
        self._find = find

    def collect(self) -> Iterable[Family]:
        try:
            return [*self._find()]
        except Exception as error:
            log.warning("metrics_unread", error=type(error).__name__)
            return ()


def _families(values: Values) -> Iterable[Family]:
    for metric, samples in values.items():
        type_ = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
        family = type_(metric.name, metric.help, labels=metric.labels)
        for labels, value in samples.items():
            family.add_metric(labels, value)
        yield family


class Metrics:
    """The metrics of one process; its page shows those that were given a value. Any thread may give one."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        """All of them, for a server of the library."""
        self._made: dict[str, Counter | Gauge | Histogram] = {}
        self._making = threading.Lock()
        ProcessCollector(registry=self.registry)

    def find(self, values: Callable[[], Values]) -> None:
        """Adds what `values` gives whenever a page is asked for, perhaps in another thread.

        What it gives is left out of the page if it raises, with a warning in the log.
        """
        self.registry.register(_Found(lambda: _families(values())))

    def count(self, metric: Metric, *labels: str, n: int = 1) -> None:
        """Adds to a counter."""
        counter = self._of(metric)
        assert isinstance(counter, Counter)
        (counter.labels(*labels) if labels else counter).inc(n)

    def observe(self, metric: Metric, seconds: float, *labels: str) -> None:
        """Adds a value to a histogram; one below 0, as of a clock that is off, counts as 0."""
        histogram = self._of(metric)
        assert isinstance(histogram, Histogram)
        (histogram.labels(*labels) if labels else histogram).observe(max(0.0, seconds))

    def set(self, metric: Metric, value: float) -> None:
        """Sets a gauge without labels."""
        gauge = self._of(metric)
        assert isinstance(gauge, Gauge)
        gauge.set(value)

    def replace(self, metric: Metric, values: Mapping[tuple[str, ...], float]) -> None:
        """Sets a gauge for these labels, and for no others any more."""
        gauge = self._of(metric)
        assert isinstance(gauge, Gauge)
        gauge.clear()
        for labels, value in values.items():
            gauge.labels(*labels).set(value)

    def page(self) -> bytes:
        """The page that Prometheus reads."""
        return generate_latest(self.registry)

    def _of(self, metric: Metric) -> Counter | Gauge | Histogram:
        with self._making:  # the library refuses a second one of the same name
            collector = self._made.get(metric.name)
            if collector is None:
                collector = self._made[metric.name] = self._new(metric)
            return collector

    def _new(self, metric: Metric) -> Counter | Gauge | Histogram:
        if metric.kind == "histogram":
            return Histogram(metric.name, metric.help, metric.labels, registry=self.registry, buckets=LATENCIES)
        type_ = Counter if metric.kind == "counter" else Gauge
        return type_(metric.name, metric.help, metric.labels, registry=self.registry)
