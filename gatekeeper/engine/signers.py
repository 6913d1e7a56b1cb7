"""Handles an act from its signer to its answer; the act of nobody is refused on record, and does nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, Protocol

import msgspec

from gatekeeper.engine.act import ActRecord, Answer, answered, failed
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


class ActHandling:
    """An act that is handled once its signer is known; without one it is refused, and does nothing.

    A defect of ours fails this act alone, with the answer `failed`. Nothing of the step in which it showed is done.
    """

    def __init__(self, handler: Handler, asked: ActRecord) -> None:
        self.done = False
        self._handler, self._asked = handler, asked
        self._handling: Handling | None = None

    def step(self, now: Moment, behind: Sequence[Act | None] = (), most: int = 1) -> list[Judged]:
        """The results of the next step, as of the handler of this kind of act."""
        try:
            return self._stepped(now, behind, most)
        except Exception as error:
            self.done = True
            return [failed(now, self._asked, error, entries=lambda: self._seen(now))]

    def _stepped(self, now: Moment, behind: Sequence[Act | None], most: int) -> list[Judged]:
        if self._handling is None:
            if refused := self._demand_signer(now):
                self.done = True
                return [answered(now, self._asked, Answer("refused", refused))]
            self._handling = self._handler(self._asked)
        judged = self._handling.step(now, behind, most)
        if self._handling.done:
            *others, last = judged
            judged = [*others, msgspec.structs.replace(last, entries=(*last.entries, *self._seen(now)))]
        self.done = self._handling.done
        return judged

    def _demand_signer(self, now: Moment) -> str | None:
        """Finds the signer. The result is the code of a refusal, None if the act counts or cannot be read."""
        if self._asked.act is None:
            return None
        person = signer(self._asked, now.store.log, now.evaluator.acts)
        if isinstance(person, str):
            return person
        if person is not None and now.ledger.marks.seen(self._asked.act.act_id):
            return "seen_before"
        counted = self._asked.counted
        if counted and person is not None:
            counted = max(counted, person.number)
        self._asked = replace(self._asked, signer=person, counted=counted)
        return None

    def _seen(self, now: Moment) -> tuple[Entry, ...]:
        """The entry by which a copy of the signed act is refused, with the deletions of entries that are over."""
        act, person = self._asked.act, self._asked.signer
        if act is None or person is None:
            return ()
        over = now.ledger.marks.seen_until(self._asked.timestamp - CLOCKS_MS, FORGOTTEN)
        return (entries.seen(act.act_id, milliseconds(person.kept["at"]) + WINDOW_MS), *over)


def signer(asked: ActRecord, log: ReferenceLog, acts: Acts) -> Signer | Refused | Literal["no_staff"] | None:
    """The person behind an act, or the code of its refusal; None if the act counts unsigned.

    `acts`: unsigned acts count if it says so, and if they arrived before the first person was registered. `no_staff`:
    they do not, and nobody was registered then.
    """
    began = log.roster.began
    if began is None or asked.timestamp < began:
        return None if acts == "unsigned" else "no_staff"
    person = weigh(asked, asked.said, roster=log.roster, origin=log.origin)
    return "role" if isinstance(person, Signer) and not _theirs(asked.act, person) else person


def _theirs(act: Act | None, person: Signer) -> bool:
    """Tells whether a person with a list of controllers may do an act; an item's controller is looked at later."""
    if person.controllers is None or isinstance(act, Release | ItemAct | Reemission):
        return True
    kind, _, id_ = (getattr(act, "subject", None) or "").partition("/")
    return kind == "controller" and id_ in person.controllers


def counts(asked: ActRecord, log: ReferenceLog, acts: Acts) -> bool:
    """Tells whether the act has a signer by the people known so far, or needs none. Never raises.

    An act on which our own code raises does not count, and fails on record in its turn.
    """
    try:
        return asked.act is not None and not isinstance(signer(asked, log, acts), str)
    except Exception:
        return False
