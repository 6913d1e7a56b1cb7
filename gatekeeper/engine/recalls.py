"""Judges a clearance again and recalls it if it no longer stands.

A clearance stands until a fact speaks against it. An unreadable record about the person may be a withdrawal, so it
causes a recall. So does a defect of ours. A fault that delays decisions for everybody causes no recall: late facts, an
unreadable policy, reference record or whole batch. Nothing new is cleared meanwhile. When the fault has ended, the
clearance is judged again.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

from gatekeeper.audit.records.record import did
from gatekeeper.deciding.decide import Decision
from gatekeeper.deciding.facts import WHOLE_BATCH
from gatekeeper.engine import results
from gatekeeper.engine.evaluation import Moment
from gatekeeper.engine.judged import Cause, Judged
from gatekeeper.ground.times import instant
from gatekeeper.ledger.entries import Clearance, Entry
from schemas.codec import encode
from schemas.events import Recall
from schemas.record import Output

UNDECIDED = ("FACTS_STALE", "POLICY_UNKNOWN")
"""Reasons that say nothing about the piece, only that no decision is possible at the moment."""


def recall_id(clearance: str) -> str:
    """The id of the recall of a clearance. It depends on the clearance's decision id alone, so there is one at most."""
    return sha256(f"gate/recall/1\0{clearance}".encode()).hexdigest()[:32]


def recall(clearance: Clearance, *, id_: str, at: int, reasons: Iterable[str] = ()) -> tuple[Output, tuple[Entry, ...]]:
    """The recall of a live clearance, and the entries that remove the clearance: all in one transaction.

    `id_`: the decision or act that causes the recall. `at`: milliseconds. `reasons`: why the clearance does not stand.
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
        controller_id=send.controller_id,
    )
    headers = (("gate-decision-id", id_.encode()),)
    return Output("recalls", send.recipient_id.encode(), encode(value), headers), clearance.forgotten


def weighed(now: Moment, clearance: Clearance) -> Judged | None:
    """The recall of a live clearance with its audit record, None if the clearance stands. Never raises.

    The record's id derives from the input that was cleared, so there is one recall at most. A defect of ours also
    recalls the piece, because nobody can tell whether it stands.
    """
    evaluation = now.weigh(clearance)
    decision, src = evaluation.decision, clearance.src
    if stands(clearance, decision):
        return None
    id_ = did(src["topic"], src["partition"], src["offset"], "recall", era=src.get("era", 0))
    who, salt = now.subject(clearance.send.recipient_id)
    cause = Cause(id_, "recall", src)
    proof = evaluation.record(cause, subject=who)
    output, forgotten = recall(clearance, id_=id_, at=now.at, reasons=decision.codes)
    entries = (*forgotten, *evaluation.ended_releases(), *salt)
    result = results.recalled(clearance, cause, at=now.at, decision=decision)
    return Judged((output,), proof, id_, failed=evaluation.error is not None, entries=entries, result=result)


def stands(clearance: Clearance, decision: Decision) -> bool:
    """Tells whether a live clearance stands under the new decision on it."""
    return decision.verdict == "clear" or _undecided(decision) or (clearance.released and _outlived(decision))


def _undecided(decision: Decision) -> bool:
    return all(
        reason.code in UNDECIDED or (reason.code == "FACTS_UNAVAILABLE" and all(map(_of_everybody, reason.facts)))
        for reason in decision.reasons
    )


def _of_everybody(place: str) -> bool:
    """Tells whether an unreadable record concerns everybody, and so says nothing about a single piece."""
    return place.startswith("reference/") or place.endswith(f"/{WHOLE_BATCH}")


def nobody_can_tell(decision: Decision) -> bool:
    """Tells whether an unreadable batch of facts, which may concern anybody, is the only reason against a piece."""
    places = [place for reason in decision.reasons for place in reason.facts]
    return decision.codes == ("FACTS_UNAVAILABLE",) and all(place.endswith(f"/{WHOLE_BATCH}") for place in places)


def _outlived(decision: Decision) -> bool:
    """Tells whether the expiry of its release is the only reason against a piece that went out before the expiry."""
    ended = next((reason for reason in decision.reasons if reason.code == "RELEASE_EXPIRED"), None)
    return ended is not None and {*decision.codes} <= {ended.code, *ended.says["reasons"].split(", ")}
