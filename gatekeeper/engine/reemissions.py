"""Writes a cleared piece that is missing from `cleared` again: same key, id and bytes, if the clearance still stands.

Only the worker clears. Other parties ask for a missing piece by an act. The piece is judged with the current facts, so
a withdrawal since then wins. A piece that no longer stands is not recalled here; its own recall is already under way.
"""

from __future__ import annotations

from gatekeeper.engine.act import ActRecord, Answer
from gatekeeper.engine.evaluation import Moment
from gatekeeper.engine.judged import Cause
from gatekeeper.engine.outputs import told
from gatekeeper.identity import Identified
from gatekeeper.ledger.entries import Clearance
from schemas.codec import Unreadable, decode, encode
from schemas.events import Reemission, Send
from schemas.record import Record


def reemitted(now: Moment, asked: ActRecord) -> Answer:
    """The answer to the act; in doubt nothing goes out. Raises on a defect of ours.

    `asked.about` is the record at the place where the act says that the bytes are. Refused: `shadow`, `not_cleared`
    (recalled, too old or never cleared), `repeated` (written again since), `source_missing`, `source_differs`, and
    `stands_no_longer` by the current facts.
    """
    act, source = asked.act, asked.about
    if not isinstance(act, Reemission):
        raise TypeError("an act about no piece")
    live = now.ledger.clearances(now.at, act.recipient_id)
    clearance = next((clearance for clearance in live if clearance.did == act.decision_id), None)
    if now.mode == "shadow":
        return Answer("refused", "shadow")
    if clearance is None or (clearance.send.campaign_id, clearance.send.channel) != (act.campaign_id, act.channel):
        return Answer("refused", "not_cleared")
    if asked.signer is not None and not asked.signer.acts_for(clearance.send.controller_id):
        return Answer("refused", "role")
    if clearance.reemitted != act.after:
        return Answer("refused", "repeated")
    if source is None:
        return Answer("refused", "source_missing")
    try:
        send: Send = decode(act.source.topic, source.key, source.value)
    except Unreadable:
        return Answer("refused", "source_differs")
    if not _same(now, send, clearance):
        return Answer("refused", "source_differs")
    return _judged(now, asked, act, clearance, source, send)


def _same(now: Moment, send: Send, clearance: Clearance) -> bool:
    """Tells whether this is the send that was cleared, with the delivery that was judged."""
    bare = send.model_copy(update={"delivery": None})
    here, there = now.evaluator.printed(send), clearance.printed
    if isinstance(here, Identified) and isinstance(there, Identified) and not here.is_like(there):
        return False
    return encode(bare) == encode(clearance.send) and (here == there or isinstance(here, Identified))


def _judged(now: Moment, asked: ActRecord, act: Reemission, clearance: Clearance, source: Record, send: Send) -> Answer:
    evaluation, cause = now.weigh(clearance).sound(), Cause.of(asked, "handoff", clearance.did)
    if not evaluation.stands:
        ended = evaluation.ended_releases()
        return Answer("refused", "stands_no_longer", evaluation, entries=ended, cause=cause)
    # the headers are those of its clearance: decided by the current facts, dated at the instant of the clearance
    output = told(source, send, evaluation.decision._replace(at=clearance.at), clearance.did, mode=now.mode)
    entry = now.ledger.reemitted(clearance, act.act_id)
    return Answer("reemitted", None, evaluation, (output,), (entry,), cause)
