"""Pages of metrics, read by Prometheus's own parser."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from gatekeeper.ground import metrics
from gatekeeper.ground.metrics_page import Metrics, joined


def samples(page: bytes) -> dict[tuple[str, ...], float]:
    """Returns values by name and labels."""
    found = [one for family in text_string_to_metric_families(page.decode()) for one in family.samples]
    return {(one.name, *(f"{name}={value}" for name, value in sorted(one.labels.items()))): one.value for one in found}


def test_pages_of_two_processes_then_one_page_with_the_samples_of_both() -> None:
    pages = []
    for process in ("0", "1"):
        shown = Metrics()
        shown.count(metrics.SENDS_DECIDED, "clear", "", "postal", "marketing", n=2 + int(process))
        shown.observe(metrics.BARRIER, 0.03)
        pages.append((process, shown.page().decode()))
    found = samples(joined(pages))
    decided = ("gatekeeper_sends_decided_total", "channel=postal", "message_class=marketing")
    of = [found[(*decided, f"process={one}", "reason=", "verdict=clear")] for one in ("0", "1")]
    assert of == [2, 3]
    assert found[("gatekeeper_barrier_seconds_bucket", "le=0.05", "process=1")] == 1
