"""A clearance judged again, and called back where it no longer stands: what goes out, and what is forgotten with it.

What was cleared stays so until something speaks against it. An unreadable record about the person may be a no, and
calls back; so does a defect of ours. What only delays the answer for everybody does not: facts that come late, a
policy, another reference record or a whole batch that cannot be read. Then nothing new is cleared, and once it is
known what holds, the clearance is judged again.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

from gatekeeper.audit.records import record as audit
from gatekeeper.deciding.decide import Decision, decide, only
from gatekeeper.deciding.facts import WHOLE_BATCH, Facts
from gatekeeper.engine.failures import defect
from gatekeeper.engine.sends import Judge, Judged, superseded
from gatekeeper.knowledge.store import FactStore
from gatekeeper.ledger.entries import Clearance, Entry
from gatekeeper.ledger.memory import Memory
from gatekeeper.times import instant
from schemas.codec import encode
from schemas.events import Recall
from schemas.record import Output

UNDECIDED = ("FACTS_STALE", "POLICY_UNKNOWN")
"""Reasons that say nothing of the piece, only that nobody can tell at the moment."""


def recall_id(clearance: str) -> str:
    """Returns the id of the recall of a clearance, from the clearance's decision id alone: there is one at most."""
    return sha256(f"gate/recall/1\0{clearance}".encode()).hexdigest()[:32]


def recall(clearance: Clearance, *, id_: str, at: int, reasons: Iterable[str] = ()) -> tuple[Output, Entry]:
    """Returns the recall of a live clearance, and what takes it out of the memory: both in one transaction.

    `id_`: the decision or act that calls it back. `at`: milliseconds. `reasons`: why it does not stand.
    """
    send = clearance.send
    value = Recall(
        v=1,
        recall_id=recall_id(clearance.did),
        recipient_id=send.recipient_id,
        campaign_id=send.campaign_id,
        channel=send.channel,
        decision_id=clearance.did,
        event_id=send.event_id,
        at=instant(at),
        reasons=tuple(reasons),
        mail_date=send.mail_date,
    )
    headers = (("gate-decision-id", id_.encode()),)
    return Output("recalls", send.recipient_id.encode(), encode(value), headers), Entry(clearance.key, None)


def weighed(
    judge: Judge, clearance: Clearance, store: FactStore, memory: Memory, at: int, *, as_of: int | None = None
) -> Judged | None:
    """Returns the recall of a live clearance with its audit record, None where it stands. Never raises.

    `at`: milliseconds. `as_of`: as decide() takes it. The record's id comes from the input that was cleared, so
    there is one recall at most. Of a defect of ours nothing good is known: it calls back.
    """
    send, facts, failed = clearance.send, None, False
    try:
        known = memory.about(send, at)
        facts = store.view(send, clearance.printed, asks=known.asks, releases=known.releases, erased=known.erased)
        reference, packs = store.reference, judge.holding(store)
        decision = decide(send, facts, reference, packs, at, as_of=as_of, checkpoint="handoff", clearance=clearance.did)
    except Exception as error:
        decision, failed = only(judge.holding(store).at(at), at, [defect(error)]), True
    if stands(clearance, decision):
        return None
    return _recalled(judge, clearance, decision, facts, memory, as_of=as_of, failed=failed)


def stands(clearance: Clearance, decision: Decision) -> bool:
    """Tells whether a live clearance stays, by what was decided on it anew."""
    return decision.verdict == "clear" or _undecided(decision) or (clearance.released and _outlived(decision))


def _undecided(decision: Decision) -> bool:
    return all(
        reason.code in UNDECIDED or (reason.code == "FACTS_UNAVAILABLE" and all(map(_of_everybody, reason.facts)))
        for reason in decision.reasons
    )


def _of_everybody(place: str) -> bool:
    """Tells whether an unreadable record concerns everybody, and so says nothing of a single piece."""
    return place.startswith("reference/") or place.endswith(f"/{WHOLE_BATCH}")


def nobody_can_tell(decision: Decision) -> bool:
    """Tells whether nothing but a batch of facts that cannot be read, about whomever, speaks against a piece."""
    places = [place for reason in decision.reasons for place in reason.facts]
    return decision.codes == ("FACTS_UNAVAILABLE",) and all(place.endswith(f"/{WHOLE_BATCH}") for place in places)


def _outlived(decision: Decision) -> bool:
    """Tells whether nothing but the end of its release speaks against a piece, which went out while that was alive."""
    ended = next((reason for reason in decision.reasons if reason.code == "RELEASE_EXPIRED"), None)
    return ended is not None and {*decision.codes} <= {ended.code, *ended.says["reasons"].split(", ")}


def _recalled(
    judge: Judge,
    clearance: Clearance,
    decision: Decision,
    facts: Facts | None,
    memory: Memory,
    *,
    as_of: int | None,
    failed: bool,
) -> Judged:
    send, src = clearance.send, clearance.src
    id_ = audit.did(src["topic"], src["partition"], src["offset"], "recall")
    who, salt = judge.subject(send.recipient_id, memory)
    proof = audit.record(
        decision,
        id_=id_,
        origin=src,
        send=audit.judged_send(encode(send)),
        snapshot=facts.snapshot if facts else None,
        stage="recall",
        as_of=as_of,
        clearance=clearance.did,
        mode=judge.mode,
        normalised=facts is not None and facts.printed == "tokenised",
        subject=who,
    )
    output, forgotten = recall(clearance, id_=id_, at=decision.at, reasons=decision.codes)
    return outcome(id_, proof, (output,), (forgotten, *superseded(send, decision, memory), *salt), failed=failed)


def outcome(
    id_: str, proof: bytes, outputs: tuple[Output, ...], entries: tuple[Entry, ...], *, failed: bool = False
) -> Judged:
    """Returns what becomes of a clearance, or of an act about many: no verdict on a send, which has had its own."""
    return Judged(
        outputs=outputs,
        audit=proof,
        did=id_,
        verdict=None,
        codes=(),
        dead=False,
        misplaced=False,
        failed=failed,
        entries=entries,
    )
