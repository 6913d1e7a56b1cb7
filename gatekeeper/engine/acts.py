"""One record of `acts` in, all that it leads to out: judged with the facts of now, answered in its audit record."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, NamedTuple

from gatekeeper.audit.records import record as audit
from gatekeeper.confirmation import code as codes
from gatekeeper.deciding.decide import Decision, decide
from gatekeeper.deciding.facts import Facts
from gatekeeper.engine import asks, rejudging
from gatekeeper.engine import item as review
from gatekeeper.engine.failures import fingerprint
from gatekeeper.engine.item import Call, Item
from gatekeeper.engine.outputs import dead_letter, origin, told
from gatekeeper.engine.recalls import recall, stands
from gatekeeper.engine.sends import Judge, Judged, remembered, superseded
from gatekeeper.identity import Printed, printed
from gatekeeper.knowledge.store import FactStore
from gatekeeper.ledger import entries
from gatekeeper.ledger.entries import Clearance, Entry, Standing
from gatekeeper.ledger.memory import Memory
from gatekeeper.policy.policy import Policy
from gatekeeper.times import instant
from schemas.audit import Outcome, Stage
from schemas.codec import Unreadable, canonical, decode, read
from schemas.events import (
    Act,
    CampaignAct,
    ItemAct,
    PairedAct,
    PartitionAct,
    Reemission,
    Release,
    ReviewPlace,
    TopicAct,
)
from schemas.record import Output, Record

RECORDED = ("note", "reveal", "claim")
"""What is done about an item and changes nothing: it is kept in the audit trail, and that is all."""
_NOBODY = CampaignAct | TopicAct | PartitionAct
"""Acts that are about no person."""
ITSELF = "gatekeeper"
"""Who redecides a send whose person has answered, or whose facts are known now."""
AWAITS = "awaits_answer"
"""Why an item is not redecided whose person has been asked."""


def named(key: bytes | None, value: bytes | None) -> tuple[str, int, int] | None:
    """Returns which record must be read before this act is judged: topic, partition, offset; None where none must."""
    try:
        act: Act = decode("acts", key, value)
    except Unreadable:
        return None
    if isinstance(act, Reemission):
        return act.source.topic, act.source.partition, act.source.offset
    if isinstance(act, Release | ItemAct) and act.review is not None and act.kind not in RECORDED:
        return "review", act.review.partition, act.review.offset
    return None


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


class Reconsidered(NamedTuple):
    """What becomes of an item that waits: what is to be written, if anything, and else what withholds it now."""

    judged: Judged | None = None
    codes: tuple[str, ...] = ()


NOTHING = Reconsidered()


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
            act: Act = read(record)
        except Unreadable as fault:
            return self._unread(record, fault, at, policy)
        id_ = did(record, act)
        try:
            found = review.item(item.key, item.value, dict(item.headers)) if item else None
            done = _Doing(self._judge, store, memory, at, as_of, record, act, self._chance, id_).done(item, found)
            return self._told(record, act, found, item, done, memory, at, as_of, policy, id_)
        except Exception as error:
            failed = _Result("failed", f"{type(error).__name__}-{fingerprint(error)}")
            return self._told(record, act, None, None, failed, memory, at, as_of, policy, id_)

    def reconsider(
        self, item: Record, store: FactStore, memory: Memory, at: int, *, as_of: int | None = None
    ) -> Reconsidered:
        """Returns what becomes of an item that waits, judged again since more is known of the person.

        It is the redecision that a colleague could ask for, done by the gate itself. Of an item that waits for an
        answer it is written only where something comes of it: the send is cleared, or a hard fact ends a release of its
        key. Of one that late or unreadable facts withheld, it is written whatever the verdict is now that they are
        known, and closes that item. So is a defect of ours, which leaves the item to a colleague, or it would come
        again at every touch. Nothing is written where `item`, a record of `review`, does not wait (any more), or its
        campaign was cancelled since. Never raises.
        """
        owner, name = (item.key or b"").decode(), dict(item.headers).get("gate-decision-id", b"").decode()
        standing = memory.standing(owner, name)
        if standing is None or standing.offset is None:
            return NOTHING
        rejudged = standing.rejudge is not None and at < standing.rejudge
        if standing.rejudge is not None and not rejudged and not asks.answered(store, memory, owner):
            return NOTHING
        policy = self._judge.holding(store).at(at)
        id_, act, found = _own_did(item, standing), None, None
        try:
            if (found := review.item(item.key, item.value, dict(item.headers))) is None:
                return NOTHING
            if memory.cancelled_at(found.send.campaign_id, found.send.channel) >= found.at:
                return NOTHING
            act = _own(item, found, act_id=id_, at=at)
            done = _Doing(self._judge, store, memory, at, as_of, item, act, self._chance, id_).done(item, found)
            if done.decision is None:
                return NOTHING
            if done.outcome == "cleared":
                return Reconsidered(self._told(item, act, found, item, done, memory, at, as_of, policy, id_))
            decision = done.decision.decision
            codes = decision.codes if done.outcome == "withheld" else ()  # one that waits is told when that ends
            if rejudged and done.outcome == "withheld" and not rejudging.waits_on(found, decision):
                told = self._told(item, act, found, item, done, memory, at, as_of, policy, id_)
                return Reconsidered(told, codes)
            if not (ended := superseded(found.send, decision, memory)):
                return Reconsidered(None, codes)
            id_ = _own_did(item, standing, *(entry.key for entry in ended))
            act, waits = _own(item, found, act_id=id_, at=at), _Result("refused", AWAITS, done.decision, entries=ended)
            return Reconsidered(self._told(item, act, found, item, waits, memory, at, as_of, policy, id_), codes)
        except Exception as error:
            left = _left(owner, name, standing, until=found.until if found else at + review.KEPT_MS)
            failed = _Result("failed", f"{type(error).__name__}-{fingerprint(error)}", entries=(left,))
            return Reconsidered(self._told(item, act, None, None, failed, memory, at, as_of, policy, id_, about=name))

    def _told(
        self,
        record: Record,
        act: Act | None,
        found: Item | None,
        item: Record | None,
        done: _Result,
        memory: Memory,
        at: int,
        as_of: int | None,
        policy: Policy,
        id_: str,
        *,
        about: str | None = None,
    ) -> Judged:
        named = None if act is None or isinstance(act, _NOBODY) else act.recipient_id
        who, salt = self._judge.subject(named, memory) if named else (None, ())
        if salt and act and act.kind == "erase":
            who, salt = None, ()  # whom this partition never named, it need not name now
        said = acted(act, done.outcome, done.code, item=about)
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
        letter = dead_letter(record, id_, fault.fault, fault.place, mode=self._judge.mode)
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
    id_: str

    def done(self, item: Record | None, found: Item | None) -> _Result:
        act = self.act
        if isinstance(act, PairedAct) and act.recipient_id and act.kind in ("erase", "readmit"):
            return _Result("recorded", entries=self._erased(act.recipient_id, readmitted=act.kind == "readmit"))
        if isinstance(act, PairedAct | CampaignAct | Reemission | TopicAct | PartitionAct) or act.kind in RECORDED:
            return _Result("recorded")
        if self.judge.mode == "shadow":
            return _Result("refused", "shadow")  # what a shadow withholds, nobody waits for
        if act.act_id is None or act.review is None:
            return _Result("refused", "item_unknown")
        if act.review.partition != self.record.partition:
            return _Result("refused", "item_elsewhere")
        standing = self.memory.standing(act.recipient_id, act.decision_id)
        call = review.weigh(act, found, standing, at=self.at, policy=self._policy(found))
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
            return _Result("reopened", entries=(self._closed(act, found, "open"),))
        return self._undone(act, found, standing)

    def _policy(self, found: Item | None) -> Policy:
        """Returns the policy that decides the item; where none does, the company's own."""
        packs = self.judge.holding(self.store)
        deciding = packs.deciding(found.send.contact_point.country, self.at) if found else None
        return deciding or packs.at(self.at)

    def _erased(self, recipient_id: str, *, readmitted: bool) -> tuple[Entry, ...]:
        """What was erased is the salt, for good: a second erasure changes nothing, and a return begins anew.

        Who was not erased here has nothing to return from, and keeps the salt: it proves what is on record of them.
        """
        erased = self.memory.erased_at(recipient_id) is not None
        if readmitted:
            return (entries.readmitted(recipient_id),) if erased else ()
        if erased:
            return ()
        return (*self.memory.forgotten(recipient_id), entries.erased(recipient_id, self.at))

    def _decided(self, found: Item, said: Mapping[str, Any] | None = None) -> _Decided:
        known = self.memory.about(found.send, self.at)
        released = known.releases if said is None else b"\n".join(filter(None, (known.releases, canonical(said))))
        at_point = printed(self.judge.tokens, found.send)
        facts = self.store.view(found.send, at_point, asks=known.asks, releases=released, erased=known.erased)
        before = known.clearance.did if known.clearance else None
        reference, packs = self.store.reference, self.judge.holding(self.store)
        decision = decide(found.send, facts, reference, packs, self.at, as_of=self.as_of, clearance=before)
        return _Decided(decision, facts, before, at_point)

    def _judged_again(self, act: Release | ItemAct, item: Record, found: Item, call: Call) -> _Result:
        """The item goes out, or is an item anew; either way nothing more can be done about the old one."""
        id_ = self.id_
        decided = self._decided(found, call.said)
        decision = decided.decision
        standing = self.memory.standing(act.recipient_id, found.did)
        awaits = standing is not None and standing.offset is not None and standing.rejudge is None
        if call.step == "redecide" and awaits and asks.PENDING in decision.codes:
            ended = superseded(found.send, decision, self.memory)
            return _Result("refused", AWAITS, decided, entries=ended)  # it waits already
        output = told(item, found.send, decision, id_, mode=self.judge.mode)
        value, at_point = item.value or b"", decided.printed
        src = origin(self.record)
        kept = remembered(found.send, value, at_point, decision, id_=id_, src=src, memory=self.memory)
        if call.said is not None and "RELEASE_SUPERSEDED" not in decision.codes:
            kept += (entries.release(found.send, found.did, dict(call.said), until=self.at + review.KEPT_MS),)
        state: review.State = "redecided" if call.said is None else "released"
        kept += (self._closed(act, found, state, did=id_, said=call.said),)
        outcome: Outcome = "cleared" if decision.verdict == "clear" else "withheld"
        return _Result(outcome, None, decided, (output,), kept)

    def _asked(self, act: Release | ItemAct, found: Item) -> _Result:
        id_, decided = self.id_, self._decided(found)
        decision, facts, reference = decided.decision, decided.facts, self.store.reference
        ended = superseded(found.send, decision, self.memory)
        asked = asks.request(
            found.send, facts, reference, decision, item=found.did, id_=id_, entropy=self.chance(codes.ENTROPY_BYTES)
        )
        if asked.code not in (None, "waits_along"):
            return _Result("refused", asked.code, decided, entries=ended)
        kept = (*asked.entries, *ended, self._closed(act, found, "asked", did=id_))
        return _Result("asked", asked.code, decided, asked.outputs, kept)

    def _undone(self, act: Release | ItemAct, found: Item, standing: Standing | None) -> _Result:
        """The release no longer counts, and what it cleared, or what does not stand without it, is called back."""
        kept = [
            Entry(entries.release_key(found.send, found.did), None),
            self._closed(act, found, "undone", said=standing.said if standing else None),
        ]
        clearance = self.memory.about(found.send, self.at).clearance
        if clearance is None or (standing and clearance.did != standing.did and self._stands(clearance, standing)):
            return _Result("undone", entries=tuple(kept))
        output, forgotten = recall(clearance, id_=self.id_, at=self.at)
        return _Result("recalled", outputs=(output,), entries=(*kept, forgotten))

    def _stands(self, clearance: Clearance, undone: Standing) -> bool:
        """Tells whether a piece that another decision cleared stands without the release that is taken back."""
        if not clearance.released:
            return True
        send, store = clearance.send, self.store
        known, judge = self.memory.about(send, self.at), self.judge
        others = b"\n".join(line for line in known.releases.split(b"\n") if line != canonical(undone.said))
        facts = store.view(send, clearance.printed, asks=known.asks, releases=others, erased=known.erased)
        packs, did = judge.holding(store), clearance.did
        decision = decide(send, facts, store.reference, packs, self.at, checkpoint="handoff", clearance=did)
        return stands(clearance, decision)

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
        offset = act.review.offset if act.review and state in review.WAITING else None
        last = self.memory.standing(act.recipient_id, found.did)
        standing = Standing(
            state,
            act.act_id or "",
            by,
            did=did,
            said=dict(said) if said is not None else None,
            offset=offset,
            before=last.acts if last else (),
        )
        return entries.act(act.recipient_id, found.did, standing, until=found.until)


def did(record: Record, act: Act) -> str:
    """Returns the id of the act's audit record, and of the decision that it leads to."""
    return audit.did(record.topic, record.partition, record.offset, _stage(act))


def _own_did(item: Record, asked: Standing, *ended: bytes) -> str:
    """Returns the id of what the gate does by itself about an item: one end a question, and each release ends once.

    `ended`: the keys of the releases that it ends, while the item waits on.
    """
    which = "/".join((asked.act_id or "-", *(key.rpartition(b"/")[2].decode() for key in ended)))
    return audit.did(item.topic, item.partition, item.offset, "act", which)


def _own(item: Record, found: Item, *, act_id: str, at: int) -> ItemAct:
    return ItemAct(
        v=1,
        kind="redecide",
        act_id=act_id,
        at=instant(at),
        by=ITSELF,
        recipient_id=found.send.recipient_id,
        campaign_id=found.send.campaign_id,
        channel=found.send.channel,
        decision_id=found.did,
        review=ReviewPlace(partition=item.partition, offset=item.offset),
    )


def _left(recipient_id: str, item: str, asked: Standing, *, until: int) -> Entry:
    """Returns the entry of an item that still waits, and that the gate no longer judges by itself."""
    return entries.act(recipient_id, item, replace(asked, offset=None, rejudge=None), until=until)


def _stage(act: Act | None) -> Stage:
    return "release" if act and act.kind in ("release", "approve") else "act"


def acted(act: Act | None, outcome: Outcome, code: str | None = None, *, item: str | None = None) -> dict[str, Any]:
    """Returns the fields of `schemas.audit.Acted`; `item`: what it was done to, where the act does not name it."""
    if isinstance(act, Release | ItemAct | Reemission):
        item = act.decision_id
    by: str | Sequence[str] | None = act.by if act else None
    more: dict[str, Any] = {"bulk": act.bulk} if isinstance(act, Release) and act.bulk is not None else {}
    if isinstance(act, PartitionAct):
        more = {"resumed": {name: getattr(act, name) for name in ("refused", "head", "sends", "acts")}}
    return {
        "act_id": act.act_id if act else None,
        "kind": act.kind if act else None,
        "by": by,
        "at": act.at if act else None,
        "evidence_ref": act.evidence_ref if act else None,
        "item": item,
        "outcome": outcome,
        "code": code,
        "why": _why(act) if act and act.reason else None,
        **more,
    }


def _why(act: Act) -> str:
    """Returns what proves the reason in words, which may name a person and so is never in the audit itself."""
    return sha256(f"gate/why/1\0{act.act_id or ''}\0{act.reason}".encode()).hexdigest()
