"""Verdicts about the topics: their layout, settings and replicas, and the brokers' own settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gatekeeper.checkup.finding import Finding, ok, unknown, warning, wrong

SHOWN = 3
"""Names that a sentence spells out, at most."""


def topics(differences: Sequence[str], *, count: int) -> Finding:
    """Tells whether all topics are there, with their partitions and replicas. `differences`: as sentences."""
    return _differing("topics", differences, count)


def topic_settings(differences: Sequence[str], missing: Sequence[str], hidden: Sequence[str], *, count: int) -> Finding:
    """Tells whether the topics are set as the guarantees need it.

    `differences`: as sentences. `missing`: topics. `hidden`: topics whose settings this user may not see.
    """
    if missing and not differences:
        return unknown("topic_settings", "missing", count=len(missing))
    if hidden and not differences:
        return unknown("topic_settings", "hidden", shown=shown(hidden))
    return _differing("topic_settings", differences, count)


def replicas(copies: Mapping[str, int], behind: Sequence[str], leaderless: Sequence[str]) -> Finding:
    """Tells whether each record is on several brokers. `copies`: of each topic, the fewest.

    `behind`: partitions with a replica that lacks records. `leaderless`: those that take none.
    """
    if leaderless:
        return wrong("replicas", "leaderless", count=len(leaderless), shown=shown(leaderless))
    if behind:
        return warning("replicas", "behind", count=len(behind), shown=shown(behind))
    if not copies:
        return unknown("replicas", "untold")
    fewest = min(copies.values())
    return warning("replicas", "single") if fewest < 2 else ok("replicas", fewest=fewest)


def broker_settings(advice: Sequence[str], hidden: Sequence[int]) -> Finding:
    """Tells whether the brokers' own settings are as advised. `hidden`: brokers that do not show them to this user."""
    if advice:
        return Finding("broker_settings", "warning", "doctor.broker_settings_other", {"shown": " ".join(advice)})
    if hidden:
        return unknown("broker_settings", "hidden", brokers=", ".join(map(str, hidden)))
    return ok("broker_settings")


def shown(names: Sequence[str]) -> str:
    """The first of these names, and how many more there are."""
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" (+{more})" if more > 0 else "")


def _differing(check: str, differences: Sequence[str], count: int) -> Finding:
    if not differences:
        return ok(check, count=count)
    return wrong(check, "differ", count=len(differences), shown=" ".join(differences[:SHOWN]))
