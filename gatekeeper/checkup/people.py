"""Verdicts about people, signatures, the policy in force, and the partitioner of the platforms."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from gatekeeper.checkup.finding import Finding, ok, unknown, warning, wrong
from gatekeeper.policy.packs import Packs, in_force
from gatekeeper.staff.roster import Member
from schemas.topics import Part

MANAGERS = 2
"""Managers that four eyes need."""
SIGN: tuple[Part, ...] = ("office", "console", "manager", "handoff")
"""Parts that sign acts or reference data."""


def people(managers: Sequence[str], *, founder: str | None, first: str | None) -> Finding:
    """Tells whether people may act, and whether two managers can sign.

    `founder`: the fingerprint of the record with which the log began, None before. `first`: the id of the first person,
    None if that record founded nobody.
    """
    if founder is None:
        return wrong("people", "nobody")
    if first is None:
        return wrong("people", "other", founder=founder)
    if len(managers) < MANAGERS:
        return warning("people", "few", count=len(managers))
    return ok("people", count=len(managers))


def own_key(part: Part | None, key: tuple[str, str, str] | None, member: Member | None) -> Finding:
    """Tells whether what this machine signs counts. `key`: person, id and public half of its key; None without one.

    `member`: the person as now in force, None if nobody with this id is.
    """
    if key is None:
        if part is None:
            return unknown("own_key", "unasked")
        if part not in SIGN:
            return ok("own_key", "unneeded", part=part)
        return warning("own_key", "vouchless") if part == "console" else warning("own_key", "unset", part=part)
    by, id_, public = key
    registered: Mapping[str, Any] = member.keys.get(id_, {}) if member else {}
    if member is None or not registered:
        return wrong("own_key", "unregistered", by=by, key=id_)
    if registered.get("public") != public:
        return wrong("own_key", "other", by=by, key=id_)
    return ok("own_key", by=by, key=id_)


def worker_keys(used: Collection[str], known: Collection[str]) -> Finding:
    """Tells whether the workers' signatures can be checked here. `used`: the keys of the newest manifests, by id."""
    if not used:
        return unknown("worker_keys", "unused")
    if not known:
        return unknown("worker_keys", "none")
    strange = sorted(set(used) - set(known))
    if strange:
        return wrong("worker_keys", "strange", count=len(strange))
    return ok("worker_keys", count=len(set(used)))


def policy(packs: Packs, *, now: int) -> Finding:
    """Tells which policy decides now (milliseconds), and whether anything bars its decisions."""
    home = in_force(packs.home, now * 1000)
    if home is None:
        return wrong("policy", "none", id=packs.home[0].id)
    values = {"policy": f"{home.id}@{home.version}"}
    if bars := packs.barring(now):
        return wrong("policy", "barred", **values, barred=bars[0].id, what=bars[0].what)
    if packs.ignored:
        return warning("policy", "ignored", **values, place=packs.ignored[0].place, what=packs.ignored[0].what)
    if home in packs.provisional(now):
        return warning("policy", "provisional", **values)
    return ok("policy", **values)


def partitioner(misplaced: int, *, decided: int, days: int) -> Finding:
    """Tells whether platforms place sends as murmur2 does. `misplaced`: sends elsewhere, of those of the last `days`.

    `decided`: all that were decided in these days.
    """
    values: dict[str, Any] = {"count": f"{misplaced:,}", "days": days}
    if misplaced:
        return warning("partitioner", "other", **values)
    return ok("partitioner", **values) if decided else unknown("partitioner", "idle", **values)
