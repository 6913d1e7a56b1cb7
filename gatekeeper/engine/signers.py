"""Finds the person behind an act, before anything is done: the act of nobody is refused on record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, Protocol

import msgspec

from gatekeeper.engine.act import ActRecord, Answer, answered
from gatekeeper.engine.evaluation import Moment
from gatekeeper.engine.judged import Judged
from gatekeeper.knowledge.reference_log import ReferenceLog
from gatekeeper.ledger import entries
from gatekeeper.ledger.entries import Entry
from gatekeeper.staff.message import WINDOW_MS, milliseconds
from gatekeeper.staff.signed_acts import Refused, Signer, weigh
from schemas.audit import Acts
from schemas.events import Act, ItemAct, Reemission, Release

CLOCKS_MS = 60_000
"""Milliseconds by which the clocks of two brokers may differ."""
FORGOTTEN = 100
"""Ids of signed acts that one act makes the ledger forget, at most."""


class Handling(Protocol):
    """An act being handled; `done` once its own answer is given."""

    done: bool

    def step(self, now: Moment, behind: Sequence[Act | None], most: int) -> list[Judged]:
        """The results of the act's next transaction, at most `most` pieces. Never raises.

        The caller puts the entries into the ledger before the next step. `behind`: the acts that follow in the
        partition. An act that must wait for facts yields nothing and is not done.
        """
        ...


class Handler(Protocol):
    """Begins to handle an act."""

    def __call__(self, asked: ActRecord) -> Handling:
        """The act being handled."""
        ...


class SignedHandling:
    """An act that is handled once its signer is known; without one it is refused, and does nothing."""

    def __init__(self, handler: Handler, asked: ActRecord) -> None:
        self.done = False
        self._handler, self._asked = handler, asked
        self._handling: Handling | None = None

    def step(self, now: Moment, behind: Sequence[Act | None] = (), most: int = 1) -> list[Judged]:
        """The results of the next step, as of the handler of this kind of act."""
        if self._handling is None:
            found = signer(self._asked, now.store.log, now.evaluator.acts)
            if isinstance(found, Signer) and now.ledger.marks.seen(str(self._asked.act and self._asked.act.act_id)):
                found = "seen_before"
            if isinstance(found, str):
                self.done = True
                return [answered(now, self._asked, Answer("refused", found))]
            self._asked = replace(self._asked, signer=found)
            self._handling = self._handler(self._asked)
        judged = self._handling.step(now, behind, most)
        self.done = self._handling.done
        if self.done and self._asked.signer is not None:
            last = judged[-1]
            seen = seen_entries(self._asked, self._asked.signer)
            over = now.ledger.marks.seen_until(self._asked.timestamp - CLOCKS_MS, FORGOTTEN)
            judged[-1] = msgspec.structs.replace(last, entries=(*last.entries, *seen, *over))
        return judged


def signer(asked: ActRecord, log: ReferenceLog, acts: Acts) -> Signer | Refused | Literal["no_staff"] | None:
    """The person behind an act, or the code of its refusal; None if the act counts unsigned.

    `acts`: unsigned acts count if it says so, and if they arrived before the first person was registered. `no_staff`:
    they do not, and nobody was registered then.
    """
    began = log.roster.began
    if began is None or asked.timestamp < began:
        return None if acts == "unsigned" else "no_staff"
    found = weigh(asked, asked.said, roster=log.roster, origin=log.origin)
    return "role" if isinstance(found, Signer) and not _theirs(asked.act, found) else found


def _theirs(act: Act | None, person: Signer) -> bool:
    """Tells whether a person with a list of controllers may do an act; an item's controller is looked at later."""
    if person.controllers is None or isinstance(act, Release | ItemAct | Reemission):
        return True
    kind, _, id_ = (getattr(act, "subject", None) or "").partition("/")
    return kind == "controller" and id_ in person.controllers


def counts(asked: ActRecord, log: ReferenceLog, acts: Acts) -> bool:
    """Tells whether the act has a signer by the people known so far, or needs none."""
    return asked.act is not None and not isinstance(signer(asked, log, acts), str)


def seen_entries(asked: ActRecord, person: Signer) -> tuple[Entry, ...]:
    """The ledger entry by which a copy of the act is refused."""
    act_id = asked.act.act_id if asked.act else None
    return (entries.seen(act_id, milliseconds(person.kept["at"]) + WINDOW_MS),) if act_id else ()
