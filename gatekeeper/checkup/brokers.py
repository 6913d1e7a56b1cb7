"""Verdicts about the brokers: who answers, which Kafka, the controller, and the clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gatekeeper.checkup.finding import Finding, ok, unknown, warning, wrong

TRIED, TRIED_LEVEL = (4, 2), 29
"""The Kafka on which the crash tests run (docs/adr/0002), and the newest `metadata.version` that it knows."""
LEAST = (2, 8)
"""The oldest Kafka that answers all that the gate asks: the producers of a partition, which hold transactions open."""
REPLICAS = 3
FREE_SHARE = 0.1
"""Part of a broker's disk that should be free. Facts are kept for ever, and the audit for years."""
OFF_MS = 1_000
"""Milliseconds by which clocks may differ without a word."""


def brokers(answering: Sequence[int], silent: Sequence[int], *, address: str) -> Finding:
    """Tells whether all brokers answer, and are enough. `silent`: those that are in the cluster and do not answer."""
    values: dict[str, Any] = {"count": len(answering), "address": address, "silent": _list(silent)}
    if silent:
        return warning("brokers", "silent", **values)
    return warning("brokers", "few", **values) if len(answering) < REPLICAS else ok("brokers", **values)


def version(versions: Mapping[int, tuple[int, ...]], level: int | None) -> Finding:
    """Tells whether the brokers are of the version that was tried. `level`: the newest `metadata.version` they know."""
    distinct = sorted(set(versions.values()))
    values = {
        "found": ", ".join(".".join(map(str, numbers)) for numbers in distinct) or "-",
        "tried": ".".join(map(str, TRIED)),
    }
    if not distinct:
        return unknown("version", "untold")
    if distinct[0] < LEAST:
        return wrong("version", "old", **values, least=".".join(map(str, LEAST)))
    if level is not None and level > TRIED_LEVEL:
        return warning("version", "newer", **values)
    return ok("version", **values) if set(distinct) == {TRIED} else warning("version", "other", **values)


def controller(leader: int) -> Finding:
    """Tells whether the cluster has a controller; -1: none."""
    return ok("controller", broker=leader) if leader >= 0 else wrong("controller", "none")


def clock(off_ms: int | None, *, newest_ms: int | None, skew_ms: int) -> Finding:
    """Tells whether this machine's clock is right.

    `off_ms`: by how much the controller's differs at least; None if the user may not ask. `newest_ms`: by how much the
    newest time stamp on the topics is ahead of this clock; None without one. `skew_ms`: the
    policy's limit, beyond which nothing is decided.
    """
    ahead = max(0, newest_ms or 0)
    off = ahead if off_ms is None else max(off_ms, ahead)
    values = {"off": f"{off / 1000:,.1f}", "limit": f"{skew_ms / 1000:,.0f}"}
    if off > skew_ms:
        return wrong("clock", "off", **values)
    if off > OFF_MS:
        return warning("clock", "off", **values)
    return unknown("clock", "unasked") if off_ms is None else ok("clock", **values)


def disks(found: Mapping[int, Sequence[tuple[bool, int, int]]]) -> Finding:
    """Tells whether the brokers have room. `found`: for each disk whether it works, its free and all its bytes.

    A broker that tells nothing has no disks here, and an old one tells -1.
    """
    every = [(broker, *disk) for broker, disks in found.items() for disk in disks]
    if broken := sorted({broker for broker, works, _, _ in every if not works}):
        return wrong("broker_disks", "broken", brokers=_list(broken))
    shares = [(free / total, free, broker) for broker, _, free, total in every if total > 0 and free >= 0]
    if not shares or any(not disks for disks in found.values()):
        return unknown("broker_disks", "untold")
    share, free, broker = min(shares)
    values = {"broker": broker, "free": f"{free >> 20:,}", "share": f"{100 * share:.0f}"}
    return ok("broker_disks", **values) if share >= FREE_SHARE else warning("broker_disks", "low", **values)


def _list(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))
