"""Turns one record of `acts` into its results; one table maps each kind of act to its handler."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from gatekeeper.engine.act import ActRecord, Answer, answered
from gatekeeper.engine.evaluation import Moment
from gatekeeper.engine.handoffs import CampaignActRun
from gatekeeper.engine.item_acts import on_item
from gatekeeper.engine.judged import Judged
from gatekeeper.engine.outputs import dead_letter
from gatekeeper.engine.reemissions import reemitted
from gatekeeper.engine.signers import ActHandling, Handler, Handling
from gatekeeper.ledger import entries
from gatekeeper.ledger.entries import Entry
from gatekeeper.ledger.state import LedgerState
from schemas.events import (
    Act,
    CampaignAct,
    ItemAct,
    PairedAct,
    PartitionAct,
    Reemission,
    Release,
    TopicAct,
)


class AtOnce:
    """Handler of an act that is answered in one step."""

    def __init__(self, handler: Callable[[Moment, ActRecord], Answer], asked: ActRecord) -> None:
        self.done = False
        self._handler, self._asked = handler, asked

    def step(self, now: Moment, behind: Sequence[Act | None] = (), most: int = 1) -> list[Judged]:
        """The answer."""
        self.done = True
        return [answered(now, self._asked, self._handler(now, self._asked))]


def recorded(now: Moment, asked: ActRecord) -> Answer:
    """Answers an act that is kept in the audit trail and changes nothing."""
    return Answer("recorded")


def paired(now: Moment, asked: ActRecord) -> Answer:
    """Answers an act that accompanies a fact. The fact decides; an erasure also destroys the person's salt."""
    if asked.act and asked.recipient_id and asked.act.kind in ("erase", "readmit"):
        kept = erased(now.ledger, asked.recipient_id, now.at, readmitted=asked.act.kind == "readmit")
        return Answer("recorded", entries=kept)
    return Answer("recorded")


def unread(now: Moment, asked: ActRecord) -> Answer:
    """Answers a record that cannot be read: a dead letter."""
    if asked.fault is None:
        raise LookupError("an act without a handler")
    fault = asked.fault
    letter = dead_letter(asked, asked.cause.id, fault.fault, fault.place, mode=now.mode)
    return Answer("unreadable", fault.fault, outputs=(letter,))


def erased(ledger: LedgerState, recipient_id: str, at: int, *, readmitted: bool) -> tuple[Entry, ...]:
    """The ledger entries of an erasure or a readmission of a person.

    An erasure destroys the salt for good. A second erasure changes nothing, because its audit record names nobody; a
    readmission starts with a new salt.
    A person who was not erased on this partition keeps the salt, because the salt proves their earlier records.
    """
    gone = ledger.salts.erased_at(recipient_id) is not None
    if readmitted:
        return (entries.readmitted(recipient_id),) if gone else ()
    if gone:
        return ()
    owner = recipient_id.encode()
    salt = (entries.unsalted(owner),) if ledger.salts.of(owner) else ()
    return (*ledger.forgotten(recipient_id), entries.erased(recipient_id, at), *salt)


HANDLERS: Mapping[type, Handler] = {
    CampaignAct: CampaignActRun,
    ItemAct: partial(AtOnce, on_item),
    PairedAct: partial(AtOnce, paired),
    PartitionAct: partial(AtOnce, recorded),
    Reemission: partial(AtOnce, reemitted),
    Release: partial(AtOnce, on_item),
    TopicAct: partial(AtOnce, recorded),
    type(None): partial(AtOnce, unread),
}
"""Handler by the type of the act; None stands for an act that cannot be read."""


def handling(asked: ActRecord) -> Handling:
    """Begins to handle an act."""
    return ActHandling(HANDLERS[type(asked.act)], asked)
