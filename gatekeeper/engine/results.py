"""Results: the outcome of each send, in codes and without its person, for the platform that published it.

Each audit record that changes the outcome of a send has one result, with the same id (docs/adr/0060-results.md). Both
are written in one transaction. The fields are those of `schemas.events.Result`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from gatekeeper.audit.records import masking
from gatekeeper.deciding.decide import Decision
from gatekeeper.deciding.rules.system import Cleared
from gatekeeper.engine.evaluation import Evaluation
from gatekeeper.engine.item import ReviewRecord
from gatekeeper.engine.judged import Cause
from gatekeeper.engine.outputs import traced
from gatekeeper.ground.times import instant
from gatekeeper.ledger.entries import Clearance
from schemas.audit import Mode
from schemas.events import Fate, Send
from schemas.record import Output
from schemas.values import OWED


def decided(
    evaluation: Evaluation,
    cause: Cause,
    headers: Sequence[tuple[str, bytes]],
    *,
    item: ReviewRecord | None = None,
    fault: str | None = None,
) -> Output:
    """The result of a send that is cleared or withheld. `headers`: those of the send; its trace stays.

    `item`: the item that the decision replaces, if it stood. `fault`: that of its dead letter, if it became one.
    """
    decision, mode, more = evaluation.decision, evaluation.moment.mode, dict[str, Any]()
    if not evaluation.stands and (clearance := _repeated(evaluation)):
        more["duplicate_of"] = clearance.did
    if item is not None:
        more["replaces"] = {"decision_id": item.did, "outcome": "withheld"}
        if item.reasons:
            more["replaces"]["primary"] = item.reasons[0].code
    if fault is not None:
        more["fault"] = fault
    outcome: Fate = "cleared" if evaluation.stands and mode == "live" else "withheld"
    return _output(cause, outcome, decision.at, evaluation.sent.model, decision, mode, headers, **more)


def unread(
    cause: Cause,
    decision: Decision,
    headers: Sequence[tuple[str, bytes]],
    *,
    value: bytes | None,
    fault: str,
    mode: Mode,
) -> Output:
    """The result of a record that could not be read. `headers`: those that may stay. `fault`: that of its dead letter.

    It counts for the campaign and controller that its value states in the form of an id. Nothing else is taken from it.
    """
    ids = {name: id_ for name in ("campaign_id", "controller_id") if (id_ := masking.id_in(value, name))}
    return _output(cause, "withheld", decision.at, None, decision, mode, headers, fault=fault, **ids)


def handed_off(clearance: Clearance, cause: Cause, decision: Decision) -> Output:
    """The result of a cleared piece that is handed to the print house."""
    return _of_clearance(clearance, cause, "handed_off", decision.at, decision)


def recalled(clearance: Clearance, cause: Cause, *, at: int, decision: Decision | None = None) -> Output:
    """The result of a piece that is recalled. `decision`: why it does not stand; None for the word of a person."""
    return _of_clearance(clearance, cause, "recalled", at, decision)


def _repeated(evaluation: Evaluation) -> Cleared | None:
    """The live clearance of the same piece, whatever withholds this send of it."""
    send, clearance = evaluation.sent.model, evaluation.clearance
    if clearance is None or (send.message_class in OWED and clearance.event_id != send.event_id):
        return None
    return clearance


def _of_clearance(clearance: Clearance, cause: Cause, outcome: Fate, at: int, decision: Decision | None) -> Output:
    before: Fate = "cleared" if clearance.handed is None else "handed_off"
    replaces = {"decision_id": clearance.did, "outcome": before}
    return _output(cause, outcome, at, clearance.send, decision, "live", (), replaces=replaces)


def _output(
    cause: Cause,
    outcome: Fate,
    at: int,
    send: Send | None,
    decision: Decision | None,
    mode: Mode,
    headers: Sequence[tuple[str, bytes]],
    **more: Any,
) -> Output:
    """The record; fields without a value are absent."""
    value: dict[str, Any] = {"v": 1, "decision_id": cause.id, "outcome": outcome, "at": instant(at), **more}
    key = cause.id
    if send is not None:
        key = value["event_id"] = send.event_id
        value["campaign_id"], value["controller_id"] = send.campaign_id, send.controller_id
    if decision is not None:
        value["verdict"] = decision.verdict
        if codes := decision.codes:
            value["primary"], value["reasons"] = codes[0], codes
    if cause.stage == "intake":
        value["send"] = f"sends/{cause.origin['partition']}/{cause.origin['offset']}"
    if mode != "live":
        value["mode"] = mode
    named = (("gate-decision-id", cause.id.encode()), *traced(headers))
    return Output("results", key.encode(), orjson.dumps(value), named)
