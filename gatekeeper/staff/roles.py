"""The acts that each role may do, in one table for worker and console. With the rules for records of `reference`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Power(NamedTuple):
    """The roles that may do an act; one of `roles` is needed. `vouched`: the console's word is enough."""

    roles: frozenset[str]
    vouched: bool = True


DESK = frozenset(("reviewer", "approver", "manager"))
SECOND = frozenset(("approver", "manager"))
MANAGER = frozenset(("manager",))

ACTS: Mapping[str, Power] = {
    **dict.fromkeys(("claim", "note", "reveal", "release", "uphold", "ask", "redecide", "undo"), Power(DESK)),
    "approve": Power(SECOND, vouched=False),
    "withdraw": Power(DESK),
    "reveal_topic": Power(SECOND),
    "erase": Power(SECOND),
    "handoff": Power(SECOND),
    "cancel": Power(SECOND),
    **dict.fromkeys(("suspend", "quarantine", "reemit"), Power(MANAGER)),
    "resume": Power(MANAGER),
    **dict.fromkeys(("activate", "readmit", "resume_partition"), Power(MANAGER, vouched=False)),
}
"""Every kind of act. A release that needs a second person also needs the person's own signature."""

PEOPLE = frozenset(("viewer", "reviewer", "approver", "manager", "auditor"))
"""The roles of people."""

VIEWS: Mapping[str, frozenset[str]] = {"see": PEOPLE, "report": frozenset(("auditor", "manager"))}
"""The roles for looking in the console: `see` is every page, `report` the report of a period."""

PERSONAL = frozenset(("policy", "staff", "resolution", "purpose"))
"""Kinds of `reference` for which the console's word is not enough."""

NEVER_UNSIGNED = frozenset(("copy",))
"""Kinds of `reference` that count only signed, also where they are older than the first person."""


def having(right: str) -> frozenset[str]:
    """The roles that have a right: an act of ACTS, or a view of VIEWS; raises LookupError for anything else."""
    return VIEWS[right] if right in VIEWS else ACTS[right].roles


def wanted(record: Mapping[str, Any]) -> frozenset[str]:
    """The people whom a record of `reference` names as its authors (`by`), folded as `person` does; often nobody."""
    by = record.get("by") or ()
    return frozenset(map(person, (by,) if isinstance(by, str) else by))


def scope(record: Mapping[str, Any]) -> frozenset[str] | None:
    """The controllers whom a record of `reference` concerns, None for all of them."""
    kind = record["kind"]
    if kind == "controller":
        return frozenset((record["id"],))
    if kind == "notice":
        return frozenset((record["controller_id"], *(record.get("names") or ())))
    if kind == "joint_use_terms":
        return frozenset(record["parties"])
    if kind in ("purpose", "staff"):
        return frozenset(record["controllers"]) if record.get("controllers") else None
    return None


def person(id_: str) -> str:
    """The form in which ids are compared: ids that differ only in case are one person."""
    return id_.casefold()
