"""The names in a PromQL expression, compared with those that our processes show."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from gatekeeper.ground.metrics import METRICS, Metric

TARGET = frozenset({"job", "instance", "process"})
"""Labels that Prometheus, or the page of several processes, gives to each of our samples."""
OUTSIDE: Mapping[str, frozenset[str]] = {
    "up": frozenset(),
    "ALERTS": frozenset({"alertname", "alertstate", "partition"}),
    "process_start_time_seconds": frozenset(),
    "process_resident_memory_bytes": frozenset(),
    "process_cpu_seconds_total": frozenset(),
    "kubelet_volume_stats_available_bytes": frozenset({"namespace", "persistentvolumeclaim"}),
    "kubelet_volume_stats_capacity_bytes": frozenset({"namespace", "persistentvolumeclaim"}),
    "node_filesystem_avail_bytes": frozenset({"mountpoint", "fstype"}),
    "node_filesystem_size_bytes": frozenset({"mountpoint", "fstype"}),
}
"""Metrics of others, with their labels: of Prometheus, its client library, the kubelet and the node exporter."""
TEXT = re.compile(r""""(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\[[^]]*]""")
"""A string or a range."""
GROUPED = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
SELECTED = re.compile(r"([a-zA-Z_:$][\w:$]*)\s*{([^}]*)}")
NAMED = re.compile(r"\b[a-zA-Z_:$][\w:$]*+(?!\s*\()")
WORDS = {"and", "or", "unless", "offset", "bool", "inf", "nan", "group_left", "group_right"}


@dataclass(slots=True)
class Names:
    """The labels of each metric's selectors by its name, and the labels that results are grouped by."""

    metrics: dict[str, set[str]]
    grouped: set[str]


def names_of(expression: str) -> Names:
    """The names in an expression of PromQL."""
    left = TEXT.sub(" ", expression)
    grouped = {label.strip() for labels in GROUPED.findall(left) for label in labels.split(",")} - {""}
    left = GROUPED.sub(" ", left)
    found: dict[str, set[str]] = {}
    for name, labels in SELECTED.findall(left):
        found.setdefault(name, set()).update(re.findall(r"[a-zA-Z_]\w*", labels))
    for name in NAMED.findall(re.sub(r"\b\d\w*", " ", SELECTED.sub(" ", left))):
        if name not in WORDS:
            found.setdefault(name, set())
    return Names(found, grouped)


def unknown(expression: str) -> list[str]:
    """The metrics and labels in an expression that no process of ours shows, [] if all are there."""
    found = names_of(expression)
    wrong = [name for name in found.metrics if name not in SHOWN]
    known = {name: SHOWN[name] for name in found.metrics if name in SHOWN}
    wrong += [f"{name}: {label}" for name in known for label in sorted(found.metrics[name] - known[name])]
    return wrong + sorted(found.grouped - frozenset().union(*known.values()))


def _samples(metric: Metric) -> dict[str, frozenset[str]]:
    own = TARGET | set(metric.labels)
    if metric.kind == "histogram":
        return {f"{metric.name}_bucket": own | {"le"}, f"{metric.name}_sum": own, f"{metric.name}_count": own}
    return {f"{metric.name}_total" if metric.kind == "counter" else metric.name: own}


SHOWN = {name: labels for one in METRICS for name, labels in _samples(one).items()} | {
    name: labels | TARGET for name, labels in OUTSIDE.items()
}
"""The labels of each sample that there is, by its name."""
