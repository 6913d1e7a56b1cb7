"""The roles of people, the views of each role, and the rules for records of `reference`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PEOPLE = frozenset(("viewer", "reviewer", "approver", "manager", "auditor"))
"""The roles of people."""

VIEWS: Mapping[str, frozenset[str]] = {"see": PEOPLE, "report": frozenset(("auditor", "manager"))}
"""The roles for looking in the console: `see` is every page, `report` the report of a period."""

PERSONAL = frozenset(("policy", "staff", "resolution", "purpose", "ground", "provider", "audience_phrase"))
"""Kinds of `reference` for which the console's word is not enough."""

NEVER_UNSIGNED = frozenset(("copy",))
"""Kinds of `reference` that count only signed, also where they are older than the first person."""


SECONDED = frozenset(("ground",))
"""Kinds of `reference` that count by one manager, and that a second one signs afterwards."""


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
    if kind == "feed" and record.get("lists"):
        return None  # the people of a list may be anybody's
    if kind in ("purpose", "staff", "feed"):
        return frozenset(record["controllers"]) if record.get("controllers") else None
    return None


def person(id_: str) -> str:
    """The form in which ids are compared: ids that differ only in case are one person."""
    return id_.casefold()
