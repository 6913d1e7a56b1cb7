"""The page of metrics that a command shows on a port of its own."""

from __future__ import annotations

from gatekeeper.ground.metrics import METRICS, Process
from tests.support.forked import Command
from tests.support.world import metrics_page, until

ANYWHERE = {"GATEKEEPER_METRICS": "127.0.0.1:0"}
"""Setting with which a command takes a free port."""


def own_metrics(command: Command, process: Process) -> dict[tuple[str, ...], float]:
    """Returns its values by name and labels; each must be of this process by the list of metrics."""
    (served,) = until(lambda: command.events("metrics_served"), "it serves its metrics")
    found = metrics_page(served["port"])
    listed = {one.name: one for one in METRICS if process in one.of}
    for name, *labels in found:
        if name.startswith("gatekeeper_"):
            metric = next(one for ending in ENDINGS if (one := listed.get(name.removesuffix(ending))))
            assert {label.partition("=")[0] for label in labels} - {"le"} == {*metric.labels}, name
    assert ("process_resident_memory_bytes",) in found
    return found


ENDINGS = ("_bucket", "_sum", "_count", "_total", "_created", "")
