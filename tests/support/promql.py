"""The names in a PromQL expression, compared with those that our processes show."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

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
GROUPING = {"by", "without", "on", "ignoring", "group_left", "group_right"}
FUNCTION = GROUPING | {"("}
"""Words and the sign that follow the name of a function, and never the name of a metric."""
WORDS = {"and", "or", "unless", "offset", "bool", "inf", "nan"}
TOKEN = re.compile(
    r"""(?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|(?P<range>\[[^\]]*\])|(?P<number>\d[\w.]*)"""
    r"""|(?P<name>[a-zA-Z_:$][\w:$]*)|(?P<sign>[{}(),]|[=!<>~+\-*/%^@]+)|(?P<space>\s+)"""
)


@dataclass(slots=True)
class Names:
    """The labels of each metric's selectors by its name, and the labels that results are grouped by."""

    metrics: dict[str, set[str]] = field(default_factory=dict)
    grouped: set[str] = field(default_factory=set)


def names_of(expression: str) -> Names:
    """The names in an expression; raises ValueError for a sign that is not PromQL's, or a selector without a name."""
    found, at = Names(), 0
    tokens: list[tuple[str, str]] = []
    while at < len(expression):
        match = TOKEN.match(expression, at)
        if match is None:
            raise ValueError(f"not PromQL: {expression[at : at + 20]}")
        at = match.end()
        if match.lastgroup != "space":
            tokens.append((str(match.lastgroup), match[0]))
    tokens.append(("end", ""))
    inside, metric = "", ""  # inside: the sign that closes a list of labels, or nothing
    for (kind, word), (_, after) in pairwise(tokens):
        if inside:
            if word == inside:
                inside = ""
            elif kind == "name" and inside == "}":
                found.metrics[metric].add(word)
            elif kind == "name":
                found.grouped.add(word)
        elif word == "{":
            if not metric:
                raise ValueError("a selector without the name of its metric")
            inside = "}"
        elif word == "(" and metric in GROUPING:
            inside = ")"
        elif kind == "name" and word in GROUPING:
            metric = word
            continue
        elif kind == "name" and after not in FUNCTION and word not in WORDS:
            found.metrics.setdefault(word, set())
            metric = word
            continue
        if not inside:
            metric = ""
    return found


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
