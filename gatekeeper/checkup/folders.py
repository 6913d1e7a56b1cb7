"""Verdicts about files of this machine: disks, keys, certificates, and the sealed log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gatekeeper.audit.log.seal_status import LATE_MS, SealStatus
from gatekeeper.checkup.finding import Finding, failed, ok, unknown, warning, wrong
from gatekeeper.ground.errors import GatekeeperError
from gatekeeper.keys import Key
from schemas.topics import Part

MIB = 1 << 20
LOW = 1_024 * MIB
"""Free bytes below which a disk is soon full."""
FULL = 100 * MIB
"""Free bytes below which it is full: LMDB and the log can no longer be written safely."""
FEW_INODES = 1_000
FACT_BYTES, CLEARANCE_BYTES = 420, 1_400
"""Bytes on the disk for a fact (a person has two, 840 B) and for a live clearance (docs/adr/0057)."""
SOON_DAYS = 30
"""Days before the end of a certificate from which it is to be renewed."""
SECRETS: Mapping[Part, tuple[str, ...]] = {
    "worker": ("master", "token", "worker"),
    "crm": ("token",),
    "serve": ("token", "event", "master"),
    "sealer": ("log",),
    "witness": ("witness",),
    "inquiry": ("master",),
    "backup": ("backup",),
}
"""The secret keys that the machine of a part needs; of other parts none."""
PUBLIC: Mapping[Part, tuple[str, ...]] = {"sealer": ("worker",), "witness": ("log",)}
"""The public keys of others that it needs."""
ALSO: Mapping[Part, tuple[str, ...]] = {"crm": ("import",), "office": ("token",)}
"""Secret keys that it may have."""


@dataclass(frozen=True, slots=True)
class Space:
    """Space on the disk of a folder: free bytes and inodes (None: not counted), and the folder's own bytes."""

    folder: str
    free: int
    inodes: int | None
    used: int


def disk(check: str, space: Space) -> Finding:
    """Tells whether the disk has room. A folder that is made anew needs as much again as it has."""
    values = _told(space)
    if space.inodes is not None and space.inodes < FEW_INODES:
        return wrong(check, "inodes", **values)
    if space.free < FULL:
        return wrong(check, "full", **values)
    if space.free < max(LOW, space.used):
        return warning(check, "low", **values)
    return ok(check, **values)


def data_need(space: Space, *, facts: int, clearances: int) -> Finding:
    """Tells whether facts and ledger fit on the disk. `facts`, `clearances`: at most so many, for one process."""
    need = max(0, FACT_BYTES * facts + CLEARANCE_BYTES * clearances - space.used)
    values = {**_told(space), "need": f"{need // MIB:,}", "facts": f"{facts:,}", "clearances": f"{clearances:,}"}
    return warning("data_need", "short", **values) if need > space.free else ok("data_need", **values)


def keys(part: Part | None, known: Sequence[Key], faults: Sequence[GatekeeperError], *, days: int | None) -> Finding:
    """Tells whether the folder has the keys of the part, and they are safe.

    `faults`: of the folder and of its files. `days`: the age of the oldest secret, None without one.
    """
    if faults:
        return failed("keys", "wrong", faults[0])
    secret = {key.role for key in known if key.state != "public only"}
    public = {key.role for key in known if key.verifier}
    named = ", ".join(f"{key.role}-{key.number}" for key in known) or "-"
    if part is None:
        return unknown("keys", "unasked", named=named)
    if missing := [role for role in SECRETS.get(part, ()) if role not in secret]:
        return wrong("keys", "missing", roles=", ".join(missing), role=missing[0], part=part)
    if missing := [role for role in PUBLIC.get(part, ()) if role not in public]:
        return wrong("keys", "public_missing", roles=", ".join(missing), part=part)
    if surplus := sorted(secret - {*SECRETS.get(part, ()), *ALSO.get(part, ())}):
        return warning("keys", "surplus", roles=", ".join(surplus), part=part)
    return ok("keys", named=named, days="-" if days is None else days)


def certificate(check: str, ends: Mapping[str, float | str | None], *, now: float) -> Finding:
    """Tells whether certificates hold for a while. `ends`: the end of each by its name, in seconds since the epoch.

    A text is the reason for which it is refused, and None stands for one that nobody showed.
    """
    for name, reason in sorted(ends.items()):
        if isinstance(reason, str):
            return wrong(check, "refused", name=name, reason=reason)
    shown = {name: end for name, end in ends.items() if isinstance(end, float | int)}
    if not shown:
        return unknown(check, "unseen")
    name, end = min(shown.items(), key=lambda pair: pair[1])
    days = int((end - now) // 86_400)
    if end <= now:
        return wrong(check, "ended", name=name)
    if days < SOON_DAYS:
        return warning(check, "soon", name=name, days=days)
    if unseen := sorted(set(ends) - set(shown)):
        return unknown(check, "some", names=", ".join(unseen))
    return ok(check, name=name, days=days)


def seal(status: SealStatus | None, *, decided: int | None, now: int) -> Finding:
    """Tells whether the log on this machine is sealed and witnessed in time.

    `decided`: the instant of the last decision, None if nobody can tell. Milliseconds.
    """
    if status is None:
        return unknown("seal", "none")
    if status.error:
        return failed("seal", "wrong", status.error)
    if status.held:
        return wrong("seal", "held", partition=status.held[0].partition)
    minutes = max(0, now - status.at) // 60_000
    if status.late(decided=decided, now=now):
        return wrong("seal", "late", minutes=f"{minutes:,}")
    if status.witnessed is None:
        return warning("seal", "unwitnessed", minutes=f"{minutes:,}")
    seen, seen_at = status.witnessed
    behind = max(status.at - seen_at, now - status.at) if seen < status.size else 0
    if behind > LATE_MS:
        return warning("seal", "witness_late", behind=f"{behind // 60_000:,}")
    if decided is None:
        return unknown("seal", "undecided", minutes=f"{minutes:,}")
    return ok("seal", minutes=f"{minutes:,}")


def _told(space: Space) -> dict[str, str]:
    inodes = "∞" if space.inodes is None else f"{space.inodes:,}"
    return {
        "folder": space.folder,
        "free": f"{space.free // MIB:,}",
        "inodes": inodes,
        "used": f"{space.used // MIB:,}",
    }
