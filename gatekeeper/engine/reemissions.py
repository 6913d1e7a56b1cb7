"""A cleared piece that is gone from `cleared` is written there again: same key, id and bytes, if it still stands.

Only the worker clears. So whoever misses a piece asks by an act, and it is judged with the facts of now: a withdrawal
since then wins. What no longer stands is not called back here: the recall that it needs is under way by itself.
"""

from __future__ import annotations

from gatekeeper.audit.records import record as audit
from gatekeeper.deciding.decide import decide
from gatekeeper.engine.acts import acted, did
from gatekeeper.engine.failures import fingerprint
from gatekeeper.engine.outputs import origin, told
from gatekeeper.engine.recalls import outcome
from gatekeeper.engine.sends import Judge, Judged, superseded
from gatekeeper.identity import printed
from gatekeeper.knowledge.store import FactStore
from gatekeeper.ledger.entries import Clearance
from gatekeeper.ledger.memory import Memory
from schemas.audit import Outcome
from schemas.codec import Unreadable, decode, encode, read
from schemas.events import Reemission, Send
from schemas.record import Record


def asked(record: Record) -> Reemission | None:
    """Returns what a record of `acts` asks to be written again, None where it asks for something else."""
    if b'"reemit"' not in (record.value or b""):
        return None
    try:
        act = read(record)
    except Unreadable:
        return None
    return act if isinstance(act, Reemission) else None


def reemitted(
    judge: Judge,
    record: Record,
    act: Reemission,
    source: Record | None,
    store: FactStore,
    memory: Memory,
    at: int,
    *,
    as_of: int | None = None,
) -> Judged:
    """Returns what becomes of the act at that instant (milliseconds). Never raises; in doubt nothing goes out.

    `source`: the record where the act says that the bytes stand, None where there is none. Refused: `shadow`,
    `not_cleared` (called back, too old or never cleared), `repeated` (written again since), `source_missing`,
    `source_differs`, and `stands_no_longer` by the facts of now.
    """
    again = _Again(judge, record, act, store, memory, at, as_of)
    try:
        clearance = memory.clearance(act.recipient_id, act.campaign_id, act.channel, at)
        if judge.mode == "shadow":
            return again.said("refused", "shadow")
        if clearance is None or clearance.did != act.decision_id:
            return again.said("refused", "not_cleared")
        if clearance.reemitted != act.after:
            return again.said("refused", "repeated")
        if source is None:
            return again.said("refused", "source_missing")
        send = decode(act.source.topic, source.key, source.value)
        if not _same(judge, send, clearance):
            return again.said("refused", "source_differs")
        return again.judged(clearance, source, send)
    except Unreadable:
        return again.said("refused", "source_differs")
    except Exception as error:
        return again.said("failed", f"{type(error).__name__}-{fingerprint(error)}")


def _same(judge: Judge, send: Send, clearance: Clearance) -> bool:
    """Tells whether this is the send that was cleared, with the delivery that was judged."""
    bare = send.model_copy(update={"delivery": None})
    return encode(bare) == encode(clearance.send) and printed(judge.tokens, send) == clearance.printed


class _Again:
    """One act with all that decides what becomes of it."""

    def __init__(
        self,
        judge: Judge,
        record: Record,
        act: Reemission,
        store: FactStore,
        memory: Memory,
        at: int,
        as_of: int | None,
    ) -> None:
        self._judge, self._record, self._act = judge, record, act
        self._store, self._memory, self._at, self._as_of = store, memory, at, as_of

    def judged(self, clearance: Clearance, source: Record, send: Send) -> Judged:
        judge, store, memory = self._judge, self._store, self._memory
        known = memory.about(clearance.send, self._at)
        facts = store.view(
            clearance.send, clearance.printed, asks=known.asks, releases=known.releases, erased=known.erased
        )
        decision = decide(
            clearance.send,
            facts,
            store.reference,
            judge.holding(store),
            self._at,
            as_of=self._as_of,
            checkpoint="handoff",
            clearance=clearance.did,
        )
        stands = decision.verdict == "clear"
        said = acted(self._act, "reemitted") if stands else acted(self._act, "refused", "stands_no_longer")
        record = self._record
        id_ = audit.did(record.topic, record.partition, record.offset, "handoff", clearance.did)
        who, salt = judge.subject(self._act.recipient_id, memory)
        proof = audit.record(
            decision,
            id_=id_,
            origin=origin(record),
            send=audit.judged_send(encode(clearance.send)),
            snapshot=facts.snapshot,
            stage="handoff",
            as_of=self._as_of,
            clearance=clearance.did,
            act=said,
            normalised=facts.printed == "tokenised",
            subject=who,
            raw=record.value,
        )
        if not stands:
            return outcome(id_, proof, (), (*superseded(clearance.send, decision, memory), *salt))
        # its headers are those of its clearance: by the facts of now, at the instant of then
        output = told(source, send, decision._replace(at=clearance.at), clearance.did, mode=judge.mode)
        return outcome(id_, proof, (output,), (memory.reemitted(clearance, self._act.act_id), *salt))

    def said(self, what: Outcome, code: str) -> Judged:
        """Returns the answer to an act by which nothing was decided."""
        record, id_ = self._record, did(self._record, self._act)
        who, salt = self._judge.subject(self._act.recipient_id, self._memory)
        proof = audit.record_of_act(
            self._judge.holding(self._store).at(self._at),
            self._at,
            id_=id_,
            origin=origin(record),
            stage="act",
            act=acted(self._act, what, code),
            scope={"campaign_id": self._act.campaign_id, "channel": self._act.channel},
            mode=self._judge.mode,
            subject=who,
            raw=record.value,
        )
        return outcome(id_, proof, (), salt, failed=what == "failed")
