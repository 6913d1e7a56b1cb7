"""An act about a campaign in, what becomes of each of its clearances out: handed to the print house, or called back.

A partition's clearances are walked in steps, and each step is one transaction. There is no progress to remember: what
was handed off says by which act, what was recalled is gone, so a walk begun anew goes on where the last one ended.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gatekeeper.audit.records import record as audit
from gatekeeper.audit.records.pseudonym import Subject
from gatekeeper.deciding.decide import Decision, decide, only
from gatekeeper.deciding.facts import Facts
from gatekeeper.engine.acts import acted, did
from gatekeeper.engine.failures import defect
from gatekeeper.engine.item import KEPT_MS
from gatekeeper.engine.outputs import origin
from gatekeeper.engine.recalls import nobody_can_tell, outcome, recall
from gatekeeper.engine.sends import Judge, Judged, superseded
from gatekeeper.knowledge.store import FactStore
from gatekeeper.ledger.entries import Clearance, Entry, cancelled
from gatekeeper.ledger.memory import Memory
from schemas.audit import Stage
from schemas.codec import Unreadable, encode, read
from schemas.events import CampaignAct
from schemas.record import Output, Record

MOST = 1_000
"""So many clearances are looked at in one transaction."""
CALLED_OFF = "called_off"
"""How a hand-off ends behind which its campaign is cancelled: nothing more is handed on."""


def walk(judge: Judge, record: Record, memory: Memory) -> Walk | None:
    """Returns the walk that a record of `acts` asks for, None where it is about no campaign."""
    act = campaign_act(record)
    return Walk(judge, record, act, memory) if act else None


def decides(act: CampaignAct | None, behind: Iterable[CampaignAct | None] = ()) -> bool:
    """Tells whether facts bear on what becomes of a record of `acts`; None = it is about no campaign.

    They may on all but a cancellation, and a hand-off that is called off by one of those `behind` it.
    """
    return act is None or (act.kind != "cancel" and not called_off(act, behind))


def called_off(act: CampaignAct, behind: Iterable[CampaignAct | None]) -> bool:
    """Tells whether an act is a hand-off behind which all that it would hand on is cancelled."""
    return act.kind == "handoff" and any(
        later.kind == "cancel" and later.campaign == act.campaign and later.channel in (None, act.channel)
        for later in behind
        if later
    )


def campaign_act(record: Record) -> CampaignAct | None:
    """Returns what a record of `acts` asks for, None where it is about no campaign."""
    try:
        act = read(record)
    except Unreadable:
        return None
    return act if isinstance(act, CampaignAct) else None


class Walk:
    """One act about a campaign, on its way through a partition's clearances."""

    def __init__(self, judge: Judge, record: Record, act: CampaignAct, memory: Memory) -> None:
        self._judge, self._record, self._act = judge, record, act
        self._left = [] if judge.mode == "shadow" else memory.of_campaign(act.campaign, act.channel)
        self.done = False
        """Whether the act has had its answer, and nothing is left to do."""

    def step(self, store: FactStore, memory: Memory, at: int, *, most: int = MOST) -> list[Judged]:
        """Returns what becomes of at most so many clearances at that instant; after the last one, the act's answer.

        Where facts bear on it, all that were acknowledged before must be applied: it is not called while they are late.
        The entries of what is returned are put into `memory` before the next step, and written with it. A defect of
        ours in deciding on one calls that one back.
        """
        taken, self._left = self._left[:most], self._left[most:]
        found = []
        for recipient_id, channel in taken:
            clearance = memory.clearance(recipient_id, self._act.campaign, channel, at)
            if clearance is not None and (judged := self._of(clearance, store, memory, at)) is not None:
                found.append(judged)
        if not self._left:
            found.append(self._answer(store, at))
        return found

    def call_off(self, store: FactStore, at: int, behind: Iterable[CampaignAct | None]) -> list[Judged]:
        """Returns the act's answer where it is called off by one of those behind it; what is left is theirs."""
        return [self._answer(store, at, CALLED_OFF)] if called_off(self._act, behind) else []

    def _of(self, clearance: Clearance, store: FactStore, memory: Memory, at: int) -> Judged | None:
        if self._act.kind == "cancel":
            return self._cancelled(clearance, store, memory, at)
        if clearance.handed == self._act.act_id or (clearance.handed is not None and not self._act.again):
            return None
        packs = self._judge.holding(store)
        try:
            known = memory.about(clearance.send, at)
            facts = store.view(
                clearance.send, clearance.printed, asks=known.asks, releases=known.releases, erased=known.erased
            )
            decision = decide(
                clearance.send, facts, store.reference, packs, at, checkpoint="handoff", clearance=clearance.did
            )
            if nobody_can_tell(decision):
                return None  # neither handed off nor called back: the next hand-off takes it
            return self._decided(clearance, decision, facts, memory)
        except Exception as error:  # a defect of ours: nobody knows whether it may go out, so it does not
            return self._decided(clearance, only(packs.at(at), at, [defect(error)]), None, memory)

    def _decided(self, clearance: Clearance, decision: Decision, facts: Facts | None, memory: Memory) -> Judged:
        id_ = self._id("handoff", clearance)
        handed = decision.verdict == "clear"
        outputs: tuple[Output, ...] = ()
        kills: tuple[Entry, ...] = ()
        if handed:
            entry = memory.handed(clearance, self._act.act_id)
        else:
            output, entry = recall(clearance, id_=id_, at=decision.at, reasons=decision.codes)
            outputs, kills = (output,), superseded(clearance.send, decision, memory)
        who, salt = self._judge.subject(clearance.send.recipient_id, memory)
        proof = audit.record(
            decision,
            id_=id_,
            origin=origin(self._record),
            send=audit.judged_send(encode(clearance.send)),
            snapshot=facts.snapshot if facts else None,
            stage="handoff",
            clearance=clearance.did,
            act=acted(
                self._act,
                "handed" if handed else "recalled",
                "again" if handed and clearance.handed is not None else None,
                item=clearance.did,
            ),
            normalised=facts is not None and facts.printed == "tokenised",
            subject=who,
            raw=self._record.value,
        )
        return outcome(id_, proof, outputs, (entry, *kills, *salt), failed="DECISION_FAILED" in decision.codes)

    def _cancelled(self, clearance: Clearance, store: FactStore, memory: Memory, at: int) -> Judged:
        """Called back by a person's word; nothing is decided about the piece."""
        id_ = self._id("recall", clearance)
        output, forgotten = recall(clearance, id_=id_, at=at)
        said = acted(self._act, "recalled", item=clearance.did)
        scope = audit.judged_send(encode(clearance.send))
        who, salt = self._judge.subject(clearance.send.recipient_id, memory)
        return outcome(id_, self._said(store, at, id_, "recall", said, scope, who), (output,), (forgotten, *salt))

    def _answer(self, store: FactStore, at: int, code: str | None = None) -> Judged:
        self.done = True
        # a shadow has let nothing out
        said = acted(self._act, "refused", "shadow") if self._judge.mode == "shadow" else acted(self._act, "done", code)
        id_ = did(self._record, self._act)
        scope = {"campaign_id": self._act.campaign, "channel": self._act.channel}
        ends: tuple[Entry, ...] = ()
        if self._act.kind == "cancel" and self._judge.mode == "live":
            ends = (cancelled(self._act.campaign, self._act.channel, at, until=at + KEPT_MS),)
        return outcome(id_, self._said(store, at, id_, "act", said, scope), (), ends)

    def _said(
        self,
        store: FactStore,
        at: int,
        id_: str,
        stage: Stage,
        said: dict[str, Any],
        scope: dict[str, Any],
        who: Subject | None = None,
    ) -> bytes:
        return audit.record_of_act(
            self._judge.holding(store).at(at),
            at,
            id_=id_,
            origin=origin(self._record),
            stage=stage,
            act=said,
            scope=scope,
            mode=self._judge.mode,
            subject=who,
            raw=self._record.value,
        )

    def _id(self, stage: Stage, clearance: Clearance) -> str:
        return audit.did(self._record.topic, self._record.partition, self._record.offset, stage, clearance.did)
