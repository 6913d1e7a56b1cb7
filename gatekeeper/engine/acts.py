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
from gatekeeper.staff import roles
from schemas.events import Act, PairedAct


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


def erasing(now: Moment, asked: ActRecord) -> Answer:
    """Answers an act about an erasure: it destroys the person's salt, or by two managers allows a new one."""
    act, whom = asked.act, asked.recipient_id
    kept = erasure_entries(now.ledger, whom, now.at, act) if isinstance(act, PairedAct) and whom else ()
    return Answer("recorded", entries=kept)


def unread(now: Moment, asked: ActRecord) -> Answer:
    """Answers a record that cannot be read: a dead letter."""
    if asked.fault is None:
        raise LookupError("an act without a handler")
    fault = asked.fault
    letter = dead_letter(asked, asked.cause.id, fault.fault, fault.place, mode=now.mode)
    return Answer("unreadable", fault.fault, outputs=(letter,))


def erasure_entries(ledger: LedgerState, recipient_id: str, at: int, act: PairedAct) -> tuple[Entry, ...]:
    """The ledger entries of an act by which a person is erased or readmitted.

    An erasure destroys the salt for good. A second one keeps the first instant, because its audit record names nobody.
    A readmission starts with a new salt, and takes two managers (rule 8.1.40): the mark names the first of them.
    A person who was not erased on this partition keeps the salt, because the salt proves their earlier records.
    """
    since, first = ledger.salts.erased_at(recipient_id), ledger.salts.readmitted_by(recipient_id)
    if act.kind == "readmit":
        manager = roles.person(act.by)
        if since is None or first == manager:
            return ()
        return (entries.readmitted(recipient_id) if first else entries.erased(recipient_id, since, manager),)
    if since is not None:
        return (entries.erased(recipient_id, since),) if first else ()
    owner = recipient_id.encode()
    salt = (entries.unsalted(owner),) if ledger.salts.of(owner) else ()
    return (*ledger.forgotten(recipient_id), entries.erased(recipient_id, at), *salt)


HANDLERS: Mapping[str | None, Handler] = {
    **dict.fromkeys(("uphold", "ask", "redecide", "undo", "release", "approve"), partial(AtOnce, on_item)),
    **dict.fromkeys(("note", "claim", "reveal"), partial(AtOnce, on_item)),
    **dict.fromkeys(("withdraw", "suspend", "resume", "quarantine", "activate"), partial(AtOnce, recorded)),
    **dict.fromkeys(("reveal_topic", "resume_partition"), partial(AtOnce, recorded)),
    **dict.fromkeys(("erase", "readmit"), partial(AtOnce, erasing)),
    **dict.fromkeys(("handoff", "cancel"), CampaignActRun),
    "reemit": partial(AtOnce, reemitted),
    None: partial(AtOnce, unread),
}
"""Handler by the kind of act; None stands for an act that cannot be read. The fact with a recorded act decides."""


def handling(asked: ActRecord) -> Handling:
    """Begins to handle an act."""
    return ActHandling(HANDLERS[asked.act.kind if asked.act else None], asked)
