"""A clearance judged again, and called back where it no longer stands: what goes out, and what is forgotten with it.

What was cleared stays so until something speaks against it. An unreadable record about the person may be a no, and
calls back; so does a defect of ours. What only delays the answer for everybody does not: facts that come late, a
policy, another reference record or a whole batch that cannot be read. Then nothing new is cleared, and once it is
known what holds, the clearance is judged again.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

from gatekeeper.audit.records.record import did
from gatekeeper.deciding.decide import Decision
from gatekeeper.deciding.facts import WHOLE_BATCH
from gatekeeper.engine.evaluation import Moment
from gatekeeper.engine.judged import Cause, Judged
from gatekeeper.ledger.entries import Clearance, Entry
from gatekeeper.times import instant
from schemas.codec import encode
from schemas.events import Recall
from schemas.record import Output

UNDECIDED = ("FACTS_STALE", "POLICY_UNKNOWN")
"""Reasons that say nothing of the piece, only that nobody can tell at the moment."""


def recall_id(clearance: str) -> str:
    """The id of the recall of a clearance, from the clearance's decision id alone: there is one at most."""
    return sha256(f"gate/recall/1\0{clearance}".encode()).hexdigest()[:32]


def recall(clearance: Clearance, *, id_: str, at: int, reasons: Iterable[str] = ()) -> tuple[Output, Entry]:
    """The recall of a live clearance, and what takes it out of the memory: both in one transaction.

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


def weighed(now: Moment, clearance: Clearance) -> Judged | None:
    """The recall of a live clearance with its audit record, None where it stands. Never raises.

    The record's id comes from the input that was cleared, so there is one recall at most. Of a defect of ours nothing
    good is known: it calls back.
    """
    evaluation = now.weigh(clearance)
    decision, src = evaluation.decision, clearance.src
    if stands(clearance, decision):
        return None
    id_ = did(src["topic"], src["partition"], src["offset"], "recall")
    who, salt = now.subject(clearance.send.recipient_id)
    proof = evaluation.record(Cause(id_, "recall", src), subject=who)
    output, forgotten = recall(clearance, id_=id_, at=now.at, reasons=decision.codes)
    kept = (forgotten, *evaluation.ended_releases(), *salt)
    return Judged((output,), proof, id_, failed=evaluation.error is not None, entries=kept)


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
