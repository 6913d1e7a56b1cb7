"""A cleared piece that is gone from `cleared` is written there again: same key, id and bytes, if it still stands.

Only the worker clears. So whoever misses a piece asks by an act, and it is judged with the facts of now: a withdrawal
since then wins. What no longer stands is not called back here: the recall that it needs is under way by itself.
"""

from __future__ import annotations

from gatekeeper.engine.act import ActRecord, Answer
from gatekeeper.engine.evaluation import Moment
from gatekeeper.engine.judged import Cause
from gatekeeper.engine.outputs import told
from gatekeeper.identity import printed
from gatekeeper.ledger.entries import Clearance
from schemas.codec import Unreadable, decode, encode
from schemas.events import Reemission, Send
from schemas.record import Record


def reemitted(now: Moment, asked: ActRecord) -> Answer:
    """Returns what becomes of the act; in doubt nothing goes out. Raises what a defect of ours raises.

    The record that the act names is the one where it says that the bytes stand. Refused: `shadow`, `not_cleared`
    (called back, too old or never cleared), `repeated` (written again since), `source_missing`, `source_differs`, and
    `stands_no_longer` by the facts of now.
    """
    act, source = asked.act, asked.about
    if not isinstance(act, Reemission):
        raise TypeError("an act about no piece")
    clearance = now.memory.clearance(act.recipient_id, act.campaign_id, act.channel, now.at)
    if now.mode == "shadow":
        return Answer("refused", "shadow")
    if clearance is None or clearance.did != act.decision_id:
        return Answer("refused", "not_cleared")
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
    return encode(bare) == encode(clearance.send) and printed(now.evaluator.tokens, send) == clearance.printed


def _judged(now: Moment, asked: ActRecord, act: Reemission, clearance: Clearance, source: Record, send: Send) -> Answer:
    evaluation, cause = now.weigh(clearance).sound(), Cause.of(asked, "handoff", clearance.did)
    if not evaluation.stands:
        ended = evaluation.ended_releases()
        return Answer("refused", "stands_no_longer", evaluation, entries=ended, cause=cause)
    # its headers are those of its clearance: by the facts of now, at the instant of then
    output = told(source, send, evaluation.decision._replace(at=clearance.at), clearance.did, mode=now.mode)
    entry = now.memory.reemitted(clearance, act.act_id)
    return Answer("reemitted", None, evaluation, (output,), (entry,), cause)
