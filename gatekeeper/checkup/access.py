"""Verdicts about what a user may do on the brokers, and how much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gatekeeper.checkup.finding import Finding, ok, unknown, warning, wrong
from gatekeeper.checkup.topics import shown
from schemas.topics import Part

Operations = Mapping[str, frozenset[str]]
"""Kafka's operations (`READ`, `WRITE`, `DESCRIBE_CONFIGS`, …) by the name of a topic or group."""
IMPLIED = frozenset(("DESCRIBE", "DESCRIBE_CONFIGS"))
"""Operations that others bring with them, and that show no record."""
RATE = "producer_byte_rate"


def rights(part: Part | None, needed: Operations, granted: Operations, *, user: str) -> Finding:
    """Tells whether the user may do what its part needs. `granted`: what Kafka says of each topic and group."""
    if part is None:
        return unknown("rights", "unasked")
    if not needed:
        return ok("rights", "none", part=part)
    if untold := sorted(needed.keys() - granted.keys()):
        return unknown("rights", "untold", names=shown(untold))
    lacking = [f"{operation} {name}" for name in needed for operation in sorted(needed[name] - granted[name])]
    if lacking:
        return wrong("rights", "lacking", part=part, user=user, shown=shown(lacking))
    return ok("rights", part=part, user=user)


def surplus(part: Part | None, needed: Operations, granted: Operations, *, user: str) -> Finding:
    """Tells whether the user may do what its part must not. `user`: '' without one; anybody may then do anything."""
    if not user:
        return warning("surplus", "nobody")
    if part is None:
        return unknown("surplus", "unasked")
    none = frozenset[str]()
    more = [
        f"{operation} {name}"
        for name in granted
        for operation in sorted(granted[name] - needed.get(name, none) - IMPLIED)
    ]
    return warning("surplus", "more", part=part, user=user, shown=shown(more)) if more else ok("surplus", user=user)


def quotas(
    entries: Sequence[tuple[Mapping[str, str | None], Mapping[str, float]]], writers: Sequence[str], *, address: str
) -> Finding:
    """Tells whether one platform's flood can starve another. `entries`: Kafka's quotas, each with whom it is for.

    Only a quota of the default user (None) bounds everybody. One by client id bounds nobody who has several.
    `writers`: the parts that write sends. `address`: of the brokers.
    """
    limited = [whom["user"] for whom, values in entries if whom.keys() == {"user"} and RATE in values]
    named = shown(sorted(user for user in limited if user is not None))
    words: dict[str, Any] = {"writers": ", ".join(writers), "named": named, "address": address}
    if None in limited:
        return ok("quotas", **words)
    return warning("quotas", "some" if limited else "none", **words)
