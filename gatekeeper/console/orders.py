"""The privacy manager's acts on facts, each with its preview and its writer; both run as background tasks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from gatekeeper.console.session import Denied
from gatekeeper.console.state import Console
from gatekeeper.console.tasks import Task
from gatekeeper.management.policy_change import PolicyChange, named, propose
from schemas.events import PairedAct
from streams.client import fact_with_act
from streams.client.fact_with_act import FactsWithAct, Pair
from streams.client.reader import Reader
from streams.client.signatory import Signatory
from streams.operations import erasures, management
from streams.operations.management import Changed

KINDS: Mapping[str, str] = {
    "suspend": "controller",
    "resume": "controller",
    "quarantine": "batch",
    "erase": "person",
    "readmit": "person",
    "activate": "policy",
}
"""Kinds of acts, each with the kind of its subject."""


def _reach(held: Console, subject: str, since: str, task: Task) -> dict[str, Any]:
    with Reader(held.settings) as reader:
        known, reach = management.reach(reader, subject, taken=task.advance)
    rows = reach.campaigns(held.now(), held.zone())
    totals = {name: sum(getattr(row, name) for row in rows) for name in ("clearances", "standing", "ahead")}
    return {"state": known.state, "people": reach.people, **totals, "campaigns": [asdict(row) for row in rows]}


def _erasure(held: Console, subject: str, since: str, task: Task) -> dict[str, Any]:
    act = fact_with_act.act("erase", by=task.by, recipient_id=subject)
    with Reader(held.settings) as reader:
        found = erasures.erasure(reader, act)
    return {"stops": len(found.stops) - 1, "unreadable": found.unreadable}


def _proposal(held: Console, subject: str, since: str, task: Task) -> PolicyChange:
    known = management.policies(held.settings)
    new = named(subject, known, at=held.now())
    found = propose(
        known, new, known.text(new), by=task.by, since=since or None, now=held.now(), home=held.settings.policy
    )
    return found


LOOKS: Mapping[str, Callable[[Console, str, str, Task], Any]] = {
    "quarantine": _reach,
    "erase": _erasure,
    "activate": _proposal,
}


def _suspend(held: Console, act: PairedAct, extra: Mapping[str, str], signatory: Signatory | None) -> Changed:
    since, until = extra["since"] or None, extra["until"] or None
    return management.change(
        held.settings, management.suspension(held.settings, act, since=since, until=until), signatory
    )


def _resume(held: Console, act: PairedAct, extra: Mapping[str, str], signatory: Signatory | None) -> Changed:
    return management.change(held.settings, management.resumption(held.settings, act), signatory)


def _quarantine(held: Console, act: PairedAct, extra: Mapping[str, str], signatory: Signatory | None) -> Changed:
    return management.change(held.settings, management.quarantine(held.settings, act), signatory)


def _erase(held: Console, act: PairedAct, extra: Mapping[str, str], signatory: Signatory | None) -> Pair:
    with Reader(held.settings) as reader:
        found = erasures.erasure(reader, act)
    return found.dated(fact_with_act.now()).write(held.settings, signatory)


def _readmission(held: Console, act: PairedAct, extra: Mapping[str, str]) -> FactsWithAct:
    with Reader(held.settings) as reader:
        return erasures.readmission(reader, act).dated(fact_with_act.now()).planned


def _activation(held: Console, act: PairedAct, extra: Mapping[str, str]) -> FactsWithAct:
    known = management.policies(held.settings)
    new = named(extra["version"], known, at=held.now())
    by = (act.by, extra["and_by"]) if extra["and_by"] else act.by
    found = propose(
        known, new, known.text(new), by=by, since=extra["since"] or None, now=held.now(), home=held.settings.policy
    )
    if not found.binds:
        raise Denied("page.manage_widens", 409)
    return management.activation(found, act)


OWN: Mapping[str, Callable[[Console, PairedAct, Mapping[str, str]], FactsWithAct]] = {
    "readmit": _readmission,
    "activate": _activation,
}
"""Kinds of acts that need the person's own signature; each gives what is to be signed, and then written."""


WRITES: Mapping[str, Callable[[Console, PairedAct, Mapping[str, str], Signatory | None], Any]] = {
    "suspend": _suspend,
    "resume": _resume,
    "quarantine": _quarantine,
    "erase": _erase,
}
"""The other kinds, for which the console's word is enough."""
