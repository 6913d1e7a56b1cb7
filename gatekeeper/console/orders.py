"""The privacy manager's acts on facts, each with its preview and its plan; both run as background tasks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from gatekeeper.console.session import Denied
from gatekeeper.console.state import Console
from gatekeeper.console.tasks import Task
from gatekeeper.management.policy_change import PolicyChange, named, propose
from gatekeeper.staff.act_kinds import ACT_KINDS, About, Preview
from schemas.events import PairedAct
from schemas.values import Stoppable
from streams.client import fact_with_act
from streams.client.fact_with_act import FactsWithAct
from streams.client.reader import Reader
from streams.operations import erasures, management
from streams.operations.management import Change


def _reach(held: Console, subject: str, since: str, task: Task) -> dict[str, Any]:
    with Reader(held.settings) as reader:
        batch, reach = management.reach(reader, subject, taken=task.advance)
    rows = reach.campaigns(held.now(), held.zone())
    totals = {name: sum(getattr(row, name) for row in rows) for name in ("clearances", "standing", "ahead")}
    return {"state": batch.state, "people": reach.people, **totals, "campaigns": [asdict(row) for row in rows]}


def _erasure(held: Console, subject: str, since: str, task: Task) -> dict[str, Any]:
    act = fact_with_act.act("erase", by=task.by, recipient_id=subject)
    with Reader(held.settings) as reader:
        erasure = erasures.erasure(reader, act)
    return {"stops": len(erasure.stops) - 1, "unreadable": erasure.unreadable}


def _proposal(held: Console, subject: str, since: str, task: Task) -> PolicyChange:
    policies = management.policies(held.settings)
    new = named(subject, policies, at=held.now())
    return propose(
        policies, new, policies.text(new), by=task.by, since=since or None, now=held.now(), home=held.settings.policy
    )


PREVIEWS: Mapping[Preview, Callable[[Console, str, str, Task], Any]] = {
    "reach": _reach,
    "erasure": _erasure,
    "proposal": _proposal,
}
"""Each preview of a subject, by its name in the table of acts. It runs as a task."""


SUSPENDED: Mapping[str, tuple[Stoppable, ...]] = {"": (), "mark": ("marketing", "confirmation")}
"""The classes that a suspension stops, by the choice in its form: all, or what a suspended mark forbids."""


def _suspension(held: Console, act: PairedAct, extra: Mapping[str, str]) -> Change:
    since, until = extra["since"] or None, extra["until"] or None
    suspends = SUSPENDED.get(extra["suspends"], ())
    return management.suspension(held.settings, act, since=since, until=until, suspends=suspends)


def _resumption(held: Console, act: PairedAct, extra: Mapping[str, str]) -> Change:
    return management.resumption(held.settings, act)


def _quarantine(held: Console, act: PairedAct, extra: Mapping[str, str]) -> Change:
    return management.quarantine(held.settings, act)


def _erasing(held: Console, act: PairedAct, extra: Mapping[str, str]) -> FactsWithAct:
    with Reader(held.settings) as reader:
        return erasures.erasure(reader, act).dated(fact_with_act.now()).planned


def _readmission(held: Console, act: PairedAct, extra: Mapping[str, str]) -> FactsWithAct:
    with Reader(held.settings) as reader:
        return erasures.readmission(reader, act).dated(fact_with_act.now()).planned


def _activation(held: Console, act: PairedAct, extra: Mapping[str, str]) -> FactsWithAct:
    policies = management.policies(held.settings)
    new = named(extra["version"], policies, at=held.now())
    by = (act.by, extra["and_by"]) if extra["and_by"] else act.by
    change = propose(
        policies,
        new,
        policies.text(new),
        by=by,
        since=extra["since"] or None,
        now=held.now(),
        home=held.settings.policy,
    )
    if not change.binds:
        raise Denied("page.manage_widens", 409)
    return management.activation(change, act)


PLANS: Mapping[str, Callable[[Console, PairedAct, Mapping[str, str]], Change | FactsWithAct]] = {
    "suspend": _suspension,
    "resume": _resumption,
    "quarantine": _quarantine,
    "erase": _erasing,
    "readmit": _readmission,
    "activate": _activation,
}
"""The acts of the page `/manage`; each plan is what is to be written, or signed first."""

KINDS: Mapping[str, About] = {kind: ACT_KINDS[kind].about for kind in PLANS}
"""These acts, each with the kind of its subject."""
