"""Answers an act about one review item: decided by the current facts, or refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from gatekeeper.audit.records.record import judged_send
from gatekeeper.engine import asks, results
from gatekeeper.engine import item as review
from gatekeeper.engine.act import ActRecord, Answer
from gatekeeper.engine.evaluation import Evaluation, Moment
from gatekeeper.engine.item import Consequence, ReviewRecord
from gatekeeper.engine.judged import Cause
from gatekeeper.engine.outputs import told
from gatekeeper.engine.recalls import recall, stands
from gatekeeper.ledger import entries
from gatekeeper.ledger.entries import Clearance, Entry, ItemState
from gatekeeper.policy.policy import Policy
from gatekeeper.staff.act_kinds import ACT_KINDS, State
from schemas.audit import Outcome
from schemas.events import ItemAct, Release
from schemas.record import Record

AWAITS = "awaits_answer"
"""Code of a refused redecision: the person was asked, and the item waits for the answer."""


def on_item(now: Moment, asked: ActRecord) -> Answer:
    """Answers an act about an item; an act that is not allowed is refused. Raises on a defect of ours."""
    withheld = item_of(asked.about)
    answer = done(now, asked, asked.cause, withheld)
    return replace(answer, scope=judged_send(withheld.sent.json)) if withheld else answer


def item_of(record: Record | None) -> ReviewRecord | None:
    """The item that a record of `review` holds, None where it holds none."""
    return review.item(record.key, record.value, dict(record.headers)) if record else None


def done(now: Moment, asked: ActRecord, cause: Cause, withheld: ReviewRecord | None) -> Answer:
    """The answer to an act about an item. `cause`: that of its audit record."""
    act, item = asked.act, asked.about
    if not isinstance(act, Release | ItemAct):
        raise TypeError("an act about no item")
    if ACT_KINDS[act.kind].states is None:
        return Answer("recorded")
    if now.mode == "shadow":
        return Answer("refused", "shadow")  # nobody acts on items that a shadow withheld
    if act.review.partition != asked.partition:
        return Answer("refused", "item_elsewhere")
    standing = now.ledger.standing(act.recipient_id, act.decision_id)
    call = review.weigh(act, withheld, standing, at=now.at, policy=_policy(now, withheld), counted=asked.counted)
    if call.step is None or item is None or withheld is None:
        return Answer("refused", call.code)
    if code := _not_theirs(asked, call, withheld, standing):
        return Answer("refused", code)
    alone = asked.signer is not None and not asked.signer.vouched
    doing = _AllowedAct(now, act, cause, item, withheld, standing, signed=alone)
    if call.step in ("release", "redecide"):
        return doing.judged_again(call)
    if call.step == "ask":
        return doing.asked(asked.entropy)
    if call.step == "propose":
        return Answer("waiting", entries=(doing.closed("proposed", said=call.said),))
    if call.step == "uphold":
        return Answer("upheld", entries=(doing.closed("upheld"),))
    if call.step == "reopen":
        return Answer("reopened", entries=(doing.closed("open"),))
    return doing.undone()


def _not_theirs(asked: ActRecord, call: Consequence, withheld: ReviewRecord, standing: ItemState | None) -> str | None:
    """The reason why this person may not do a signed act. None if allowed, or if acts need no signature.

    `role`: the person acts for other controllers. `vouched_not_enough`: where a second person is needed, the first one
    signs as well. `two_people`: nobody signed the release that the act approves.
    """
    signer = asked.signer
    if signer is None:
        return None
    if not signer.acts_for(withheld.send.controller_id):
        return "role"
    if call.step == "propose" and signer.vouched:
        return "vouched_not_enough"
    if asked.act is not None and asked.act.kind == "approve" and not (standing and standing.signed):
        return "two_people"
    return None


def _policy(now: Moment, withheld: ReviewRecord | None) -> Policy:
    """The policy that decides the item, else the company's own."""
    deciding = now.packs.deciding(withheld.send.contact_point.country, now.at) if withheld else None
    return deciding or now.policy


@dataclass(frozen=True, slots=True)
class _AllowedAct:
    """An allowed act with its item. `standing`: the state after earlier acts. `signed`: by the person's own key."""

    now: Moment
    act: Release | ItemAct
    cause: Cause
    item: Record
    withheld: ReviewRecord
    standing: ItemState | None
    signed: bool = False

    def judged_again(self, call: Consequence) -> Answer:
        """Judges the item again: the send goes out or becomes a new item. Either way the old item is closed."""
        now, withheld, standing = self.now, self.withheld, self.standing
        evaluation = self._evaluated(call.said)
        decision = evaluation.decision
        awaits = standing is not None and standing.offset is not None and standing.rejudge is None
        if call.step == "redecide" and awaits and asks.PENDING in decision.codes:
            return Answer("refused", AWAITS, evaluation, entries=evaluation.ended_releases())  # it waits already
        output = told(self.item, withheld.send, decision, self.cause.id, mode=now.mode)
        kept = evaluation.remembered(self.cause)
        if call.said is not None and "RELEASE_SUPERSEDED" not in decision.codes:
            kept += (entries.release(withheld.send, withheld.did, dict(call.said), until=now.at + review.KEPT_MS),)
        state: State = "redecided" if call.said is None else "released"
        kept += (self.closed(state, did=self.cause.id, said=call.said),)
        outcome: Outcome = "cleared" if evaluation.stands else "withheld"
        before = None if standing and standing.state == "undone" else withheld  # its release has replaced it already
        result = results.decided(evaluation, self.cause, self.item.headers, item=before)
        return Answer(outcome, None, evaluation, (output,), kept, result=result)

    def asked(self, entropy: bytes) -> Answer:
        """Asks the person. `entropy`: random bytes, for the answer code."""
        evaluation = self.now.evaluate(self.withheld.sent, asking=True).sound()
        withheld, id_, ended = self.withheld, self.cause.id, evaluation.ended_releases()
        asked = asks.request(evaluation, item=withheld.did, id_=id_, entropy=entropy)
        if asked.code not in (None, "waits_along"):
            return Answer("refused", asked.code, evaluation, entries=ended)
        kept = (*asked.entries, *ended, self.closed("asked", did=id_))
        return Answer("asked", asked.code, evaluation, asked.outputs, kept)

    def undone(self) -> Answer:
        """Takes the release back, and recalls the piece that it cleared or that does not stand without it."""
        now, withheld, standing = self.now, self.withheld, self.standing
        kept = [
            Entry(entries.release_key(withheld.send, withheld.did), None),
            self.closed("undone", said=standing.said if standing else None),
        ]
        clearance = now.ledger.about(withheld.send, now.at).clearance
        if clearance is None or (standing and clearance.did != standing.did and self._stands(clearance, standing)):
            return Answer("undone", entries=tuple(kept))
        output, forgotten = recall(clearance, id_=self.cause.id, at=now.at)
        result = results.recalled(clearance, self.cause, at=now.at)
        kept.extend(forgotten)
        return Answer("recalled", outputs=(output,), entries=tuple(kept), clearance=clearance.did, result=result)

    def closed(self, state: State, *, did: str | None = None, said: Mapping[str, Any] | None = None) -> Entry:
        """The entry with the item's state after the act."""
        act, withheld, last = self.act, self.withheld, self.standing
        standing = ItemState(
            state,
            act.act_id,
            act.by,
            did=did,
            said=dict(said) if said is not None else None,
            offset=act.review.offset if state in review.WAITING else None,
            before=last.acts if last else (),
            signed=self.signed and state == "proposed",
        )
        return entries.act(act.recipient_id, withheld.did, standing, until=withheld.until)

    def _evaluated(self, said: Mapping[str, Any] | None = None) -> Evaluation:
        return self.now.evaluate(self.withheld.sent, release=said).sound()

    def _stands(self, clearance: Clearance, undone: ItemState) -> bool:
        """Tells whether a piece that another decision cleared also stands without the release that is taken back."""
        if not clearance.released:
            return True
        # late facts say nothing against the piece
        evaluation = msgspec.structs.replace(self.now, as_of=None).weigh(clearance, without=undone.said).sound()
        return stands(clearance, evaluation.decision)
