"""One record of `acts` in, all that it leads to out: judged with the facts of now, answered in its audit record."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from gatekeeper import asking, memory, review
from gatekeeper.audit import record as audit
from gatekeeper.confirmation import code as codes
from gatekeeper.decide import Decision, decide
from gatekeeper.facts import FactStore
from gatekeeper.identity import Printed, printed
from gatekeeper.judge import Judge, Judged, Output, Record, fingerprint, origin, remembered
from gatekeeper.known import Facts
from gatekeeper.memory import Entry, Memory, Standing
from gatekeeper.policy import Policy
from gatekeeper.recall import recall
from gatekeeper.review import Call, Item
from gatekeeper.spans import instant
from schemas.audit import Outcome, Stage
from schemas.codec import Unreadable, canonical, decode
from schemas.events import Act, CampaignAct, ItemAct, PairedAct, Release, ReviewPlace

RECORDED = ("note", "reveal", "claim")
"""What is done about an item and changes nothing: it is kept in the audit trail, and that is all."""
ITSELF = "gatekeeper"
"""Who redecides a send whose person has answered."""


def reviewed(key: bytes | None, value: bytes | None) -> ReviewPlace | None:
    """Returns which record of `review` must be read before this act can be judged, None where none must."""
    try:
        act: Act = decode("acts", key, value)
    except Unreadable:
        return None
    return act.review if isinstance(act, Release | ItemAct) and act.kind not in RECORDED else None


class _Decided(NamedTuple):
    """A decision of now, with all that it was made from."""

    decision: Decision
    facts: Facts
    clearance: str | None
    printed: Printed | None


@dataclass(frozen=True, slots=True)
class _Result:
    """What became of an act: a decision where there was one, what is put out, what is remembered."""

    outcome: Outcome
    code: str | None = None
    decision: _Decided | None = None
    outputs: tuple[Output, ...] = ()
    entries: tuple[Entry, ...] = ()


class Acting:
    """Judges acts, each against the item that it names, as `judge` judges sends.

    `chance` gives so many random bytes, for answer codes that nobody can guess.
    """

    def __init__(self, judge: Judge, chance: Callable[[int], bytes]) -> None:
        self._judge = judge
        self._chance = chance

    def act(
        self,
        record: Record,
        item: Record | None,
        store: FactStore,
        memory: Memory,
        at: int,
        *,
        as_of: int | None = None,
    ) -> Judged:
        """Returns what becomes of one act at that instant (milliseconds since the epoch). Never raises.

        `item`: the record of `review` where the act says that it stands, None where there is none. An act that cannot
        be done is refused, one that cannot be read is a dead letter, and on a defect of ours nothing is done.
        """
        policy = self._judge.holding(store).at(at)
        try:
            act: Act = decode("acts", record.key, record.value)
        except Unreadable as fault:
            return self._unread(record, fault, at, policy)
        try:
            found = review.item(item.key, item.value, dict(item.headers)) if item else None
            done = _Doing(self._judge, store, memory, at, as_of, record, act, self._chance).done(item, found)
            return self._told(record, act, found, item, done, memory, at, as_of, policy)
        except Exception as error:
            failed = _Result("failed", f"{type(error).__name__}-{fingerprint(error)}")
            return self._told(record, act, None, None, failed, memory, at, as_of, policy)

    def reconsider(
        self, item: Record, store: FactStore, memory: Memory, at: int, *, as_of: int | None = None
    ) -> Judged | None:
        """Returns what becomes of an item whose person was asked, judged again since more is known of the person.

        It is the redecision that a colleague could ask for, done by the gate itself: only one that clears the send is
        to be written. None where `item`, a record of `review`, does not wait (any more). Never raises.
        """
        try:
            found = review.item(item.key, item.value, dict(item.headers))
            if found is None:
                return None
            act = ItemAct(
                v=1,
                kind="redecide",
                act_id=audit.did(item.topic, item.partition, item.offset, "act"),
                at=instant(at),
                by=ITSELF,
                recipient_id=found.send.recipient_id,
                campaign_id=found.send.campaign_id,
                channel=found.send.channel,
                decision_id=found.did,
                review=ReviewPlace(partition=item.partition, offset=item.offset),
            )
            done = _Doing(self._judge, store, memory, at, as_of, item, act, self._chance).done(item, found)
            if done.decision is None:
                return None
            return self._told(item, act, found, item, done, memory, at, as_of, self._judge.holding(store).at(at))
        except Exception:
            return None  # the send stays withheld, and an act about it will tell of the defect

    def _told(
        self,
        record: Record,
        act: Act,
        found: Item | None,
        item: Record | None,
        done: _Result,
        memory: Memory,
        at: int,
        as_of: int | None,
        policy: Policy,
    ) -> Judged:
        id_ = did(record, act)
        named = None if isinstance(act, CampaignAct) else act.recipient_id
        who, salt = self._judge.subject(named, memory) if named else (None, ())
        said = acted(act, done.outcome, done.code)
        send = audit.judged_send(item.value or b"") if item and found else None
        if done.decision is None:
            proof = audit.record_of_act(
                policy,
                at,
                id_=id_,
                origin=origin(record),
                stage=_stage(act),
                act=said,
                scope=send,
                mode=self._judge.mode,
                subject=who,
                raw=record.value,
            )
        else:
            proof = audit.record(
                done.decision.decision,
                id_=id_,
                origin=origin(record),
                send=send,
                snapshot=done.decision.facts.snapshot,
                stage=_stage(act),
                as_of=as_of,
                clearance=done.decision.clearance,
                act=said,
                mode=self._judge.mode,
                normalised=done.decision.facts.printed == "tokenised",
                subject=who,
                raw=record.value,
            )
        emitted = done.decision.decision if done.decision and done.outcome in ("cleared", "withheld") else None
        return Judged(
            outputs=done.outputs,
            audit=proof,
            did=id_,
            verdict=emitted.verdict if emitted else None,
            codes=emitted.codes if emitted else (),
            dead=False,
            misplaced=False,
            failed=done.outcome == "failed",
            entries=(*done.entries, *salt),
        )

    def _unread(self, record: Record, fault: Unreadable, at: int, policy: Policy) -> Judged:
        id_ = audit.did(record.topic, record.partition, record.offset, "act")
        proof = audit.record_of_act(
            policy,
            at,
            id_=id_,
            origin=origin(record),
            stage="act",
            act=acted(None, "unreadable", fault.fault),
            mode=self._judge.mode,
        )
        letter = self._judge.dead_letter(record, id_, fault.fault, fault.place)
        return Judged(
            outputs=(letter,), audit=proof, did=id_, verdict=None, codes=(), dead=True, misplaced=False, failed=False
        )


@dataclass(frozen=True, slots=True)
class _Doing:
    """One act with all that decides what becomes of it."""

    judge: Judge
    store: FactStore
    memory: Memory
    at: int
    as_of: int | None
    record: Record
    act: Act
    chance: Callable[[int], bytes]

    def done(self, item: Record | None, found: Item | None) -> _Result:
        act = self.act
        if isinstance(act, PairedAct | CampaignAct) or act.kind in RECORDED:
            return _Result("recorded")
        if self.judge.mode == "shadow":
            return _Result("refused", "shadow")  # what a shadow withholds, nobody waits for
        if act.act_id is None or act.review is None:
            return _Result("refused", "item_unknown")
        if act.review.partition != self.record.partition:
            return _Result("refused", "item_elsewhere")
        standing = self.memory.standing(act.recipient_id, act.decision_id)
        call = review.weigh(act, found, standing, at=self.at, policy=self.judge.holding(self.store).at(self.at))
        if call.step is None or item is None or found is None:
            return _Result("refused", call.code)
        if call.step in ("release", "redecide"):
            return self._judged_again(act, item, found, call)
        if call.step == "ask":
            return self._asked(act, found)
        if call.step == "propose":
            return _Result("waiting", entries=(self._closed(act, found, "proposed", said=call.said),))
        if call.step == "uphold":
            return _Result("upheld", entries=(self._closed(act, found, "upheld"),))
        if call.step == "reopen":
            return _Result("reopened", entries=(Entry(memory.act_key(act.recipient_id, found.did), None),))
        return self._undone(act, found, standing)

    def _decided(self, found: Item, said: Mapping[str, Any] | None = None) -> _Decided:
        known = self.memory.about(found.send, self.at)
        released = known.releases if said is None else b"\n".join(filter(None, (known.releases, canonical(said))))
        at_point = printed(self.judge.tokens, found.send)
        facts = self.store.view(found.send, at_point, asks=known.asks, releases=released)
        before = known.clearance.did if known.clearance else None
        reference, packs = self.store.reference, self.judge.holding(self.store)
        decision = decide(found.send, facts, reference, packs, self.at, as_of=self.as_of, clearance=before)
        return _Decided(decision, facts, before, at_point)

    def _judged_again(self, act: Release | ItemAct, item: Record, found: Item, call: Call) -> _Result:
        """The item goes out, or is an item anew; either way nothing more can be done about the old one."""
        id_ = did(self.record, act)
        decided = self._decided(found, call.said)
        decision = decided.decision
        standing = self.memory.standing(act.recipient_id, found.did)
        if call.step == "redecide" and standing and standing.state == "asked" and asking.PENDING in decision.codes:
            return _Result("refused", "awaits_answer", decided)  # an item anew would wait for nothing
        output = self.judge.told(item, found.send, decision, id_)
        value, at_point = item.value or b"", decided.printed
        src = origin(self.record)
        entries = remembered(found.send, value, at_point, decision, id_=id_, src=src, memory=self.memory)
        if call.said is not None and "RELEASE_SUPERSEDED" not in decision.codes:
            entries += (memory.release(found.send, found.did, dict(call.said), until=self.at + review.KEPT_MS),)
        state: review.State = "redecided" if call.said is None else "released"
        entries += (self._closed(act, found, state, did=id_, said=call.said),)
        outcome: Outcome = "cleared" if decision.verdict == "clear" else "withheld"
        return _Result(outcome, None, decided, (output,), entries)

    def _asked(self, act: Release | ItemAct, found: Item) -> _Result:
        id_ = did(self.record, act)
        decided = self._decided(found)
        decision, facts, reference = decided.decision, decided.facts, self.store.reference
        asked = asking.request(
            found.send, facts, reference, decision, item=found.did, id_=id_, entropy=self.chance(codes.ENTROPY_BYTES)
        )
        if asked.code not in (None, "waits_along"):
            return _Result("refused", asked.code)
        entries = (*asked.entries, self._closed(act, found, "asked", did=id_))
        return _Result("asked", asked.code, decided, asked.outputs, entries)

    def _undone(self, act: Release | ItemAct, found: Item, standing: Standing | None) -> _Result:
        """The release no longer counts, and what it cleared is called back."""
        entries = [
            Entry(memory.release_key(found.send, found.did), None),
            self._closed(act, found, "undone", said=standing.said if standing else None),
        ]
        clearance = self.memory.about(found.send, self.at).clearance
        if clearance is None or not (clearance.released or (standing and clearance.did == standing.did)):
            return _Result("undone", entries=tuple(entries))
        output, forgotten = recall(clearance, id_=did(self.record, act), at=self.at)
        return _Result("recalled", outputs=(output,), entries=(*entries, forgotten))

    def _closed(
        self,
        act: Release | ItemAct,
        found: Item,
        state: review.State,
        *,
        did: str | None = None,
        said: Mapping[str, Any] | None = None,
    ) -> Entry:
        by = act.by if isinstance(act.by, str) else act.by[0]
        offset = act.review.offset if act.review and state == "asked" else None
        standing = Standing(state, act.act_id or "", by, did, dict(said) if said is not None else None, offset)
        return memory.act(act.recipient_id, found.did, standing, until=found.until)


def did(record: Record, act: Act) -> str:
    """Returns the id of the act's audit record, and of the decision that it leads to."""
    return audit.did(record.topic, record.partition, record.offset, _stage(act))


def _stage(act: Act) -> Stage:
    return "release" if act.kind in ("release", "approve") else "act"


def acted(act: Act | None, outcome: Outcome, code: str | None = None, *, item: str | None = None) -> dict[str, Any]:
    """Returns the fields of `schemas.audit.Acted`; `item`: what it was done to, where the act does not name it."""
    if isinstance(act, Release | ItemAct):
        item = act.decision_id
    by: str | Sequence[str] | None = act.by if act else None
    return {
        "act_id": act.act_id if act else None,
        "kind": act.kind if act else None,
        "by": by,
        "at": act.at if act else None,
        "evidence_ref": act.evidence_ref if act else None,
        "item": item,
        "outcome": outcome,
        "code": code,
    }
