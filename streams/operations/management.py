"""The privacy manager's records: controllers, lists and policies, each changed together with an act by its author.

Commands and pages share this module. It reads the current records, and writes record and act together or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from gatekeeper.deciding.purposes import Purposes
from gatekeeper.deciding.reference import Reference
from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.settings import Settings
from gatekeeper.knowledge.store import FactStore
from gatekeeper.management.blast_radius import BlastRadius
from gatekeeper.management.policy_change import KnownPolicies, PolicyChange
from schemas.codec import Unreadable, decode, encode
from schemas.events import Batch, Controller, PairedAct
from schemas.values import Stoppable
from streams.client import fact_with_act
from streams.client.fact_with_act import FactsWithAct, NewestReference, Pair, Rival
from streams.client.outgoing import Outgoing
from streams.client.reader import Reader
from streams.client.signatory import Signatory


@dataclass(frozen=True, slots=True)
class Change:
    """A record of `reference` to be changed: its present state, the act about it, and the new fields."""

    old: NewestReference[Controller | Batch]
    act: PairedAct
    fields: Mapping[str, str | Sequence[str] | None]


class Changed(NamedTuple):
    """Result of a change: the acknowledged pair, and anyone who changed the same record meanwhile."""

    pair: Pair
    rival: Rival | None


def suspension(
    settings: Settings, act: PairedAct, *, since: str | None, until: str | None, suspends: Sequence[Stoppable]
) -> Change:
    """The change that suspends a controller's sending, from an instant (None: the act's) to another (None: open).

    `suspends`: the classes that it stops, () for all that can be. A record without the field has always said that.
    """
    fields = {"suspended_since": since or act.at, "suspended_until": until, "suspends": suspends or None}
    with Reader(settings) as reader:
        return Change(controller(reader, _id(act)), act, fields)


def resumption(settings: Settings, act: PairedAct) -> Change:
    """The change that ends a suspension; raises UsageError (2) if the controller is not suspended."""
    with Reader(settings) as reader:
        newest = controller(reader, _id(act))
    if newest.model.suspended_since is None and newest.model.suspended_until is None:
        raise UsageError("error.not_suspended", controller=newest.model.id)
    return Change(newest, act, {"suspended_since": None, "suspended_until": None, "suspends": None})


def quarantine(settings: Settings, act: PairedAct) -> Change:
    """The change that freezes a list."""
    with Reader(settings) as reader:
        return Change(batch(reader, _id(act)), act, {"state": "quarantined"})


def change(settings: Settings, wanted: Change, signatory: Signatory | None = None) -> Changed:
    """Writes the record anew with its act, and looks for a rival change; raises as `fact_with_act.write` does."""
    pair = fact_with_act.amend(settings, wanted.old, wanted.act, signatory, **wanted.fields)
    with Reader(settings) as reader:
        return Changed(pair, fact_with_act.rival(reader, wanted.old, pair))


def controller(reader: Reader, id_: str) -> NewestReference[Controller]:
    """The newest record of a controller; raises UsageError (2) with the known controllers."""
    newest = fact_with_act.newest(reader, Controller, id_)
    if newest is None:
        raise UsageError("error.controller_absent", controller=id_, known=", ".join(controllers(reader)) or "-")
    return newest


def controllers(reader: Reader) -> list[str]:
    """Every controller that `reference` names, also one whose record cannot be read."""
    ids = set()
    for record in reader.read("reference"):
        try:
            value = decode("reference", record.key, record.value)
        except Unreadable:
            kind, _, name = (record.key or b"").decode("utf-8", "replace").partition("/")
            if kind == "controller" and name:
                ids.add(name)
        else:
            if isinstance(value, Controller):
                ids.add(value.id)
    return sorted(ids)


def purposes(reader: Reader) -> Purposes:
    """The purposes that `reference` registers now."""
    return reference(reader).purposes


def reference(reader: Reader) -> Reference:
    """The reference data that counts now."""
    return referred(reader).reference


def referred(reader: Reader) -> FactStore:
    """A store of `reference` alone, as a worker has it now."""
    store = FactStore(reader.settings.group, reader.settings.founder)
    for record in reader.read("reference"):
        store.apply(record)
    return store


def batch(reader: Reader, id_: str) -> NewestReference[Batch]:
    """The newest record of a batch. A batch that only sources name can be frozen too.

    Raises UsageError (2) for a batch that nothing names.
    """
    newest = fact_with_act.newest(reader, Batch, id_)
    if newest is not None:
        return newest
    for record in reader.read("sources"):
        try:
            if decode("sources", record.key, record.value).batch_id == id_:
                return NewestReference(Batch(v=1, kind="batch", id=id_), None)
        except Unreadable:
            continue
    raise UsageError("error.batch_absent", batch=id_)


def reach(reader: Reader, id_: str, *, taken: Callable[[], object] = lambda: None) -> tuple[Batch, BlastRadius]:
    """A list in its present state, and the people whose data came with it; reads all of `sources` and `ledger`.

    `taken`: called for each record. Raises UsageError (2) for a list that nothing names.
    """
    model, radius = batch(reader, id_).model, BlastRadius(id_)
    for record in reader.read("sources"):
        radius.source(record.key, record.value)
        taken()
    for record in reader.read("ledger"):
        radius.entry(record.partition, record.key, record.value)
        taken()
    return model, radius


def policies(settings: Settings, taken: Callable[[], object] = lambda: None) -> KnownPolicies:
    """The policies according to `reference`. `taken`: called for each record."""
    known = KnownPolicies(FactStore(settings.group, settings.founder))
    with Reader(settings) as reader:
        for record in reader.read("reference"):
            known.take(record)
            taken()
    return known


def activate(settings: Settings, proposal: PolicyChange, *, act: PairedAct, signatory: Signatory | None = None) -> Pair:
    """Puts a policy version in force for all workers, from their next chunk on; raises as `fact_with_act.write`."""
    return activation(proposal, act).write(settings, signatory)


def activation(proposal: PolicyChange, act: PairedAct) -> FactsWithAct:
    """The record that puts a policy version in force with its act, before they are written."""
    key = f"policy/{proposal.record.id}".encode()
    return FactsWithAct([Outgoing("reference", key, encode(proposal.record))], act)


def _id(act: PairedAct) -> str:
    return (act.subject or "").partition("/")[2]
