"""An act as read, and its answer: one audit record, with the outputs and ledger entries that go with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from gatekeeper.audit.records.record import judged_send
from gatekeeper.engine.evaluation import Evaluation, Moment
from gatekeeper.engine.failures import fingerprint
from gatekeeper.engine.judged import Cause, Judged
from gatekeeper.ledger.entries import Clearance, Entry
from gatekeeper.staff.act_kinds import ACT_KINDS
from gatekeeper.staff.signed_acts import Signer
from schemas.audit import Outcome, Stage
from schemas.codec import Unreadable, parsed, read
from schemas.events import Act, CampaignAct, ItemAct, PairedAct, PartitionAct, Reemission, Release
from schemas.record import Output, Record


@dataclass(frozen=True, slots=True)
class ActRecord(Record):
    """A record of `acts`, decoded where it was read.

    `act`: None if the record cannot be read; `fault` then says why. `said`: its JSON as published, for its signature.
    `about`: the record that the act names, None if there is none. `entropy`: random bytes, for the answer code of an
    ask. `signer`: the person behind the act, None for the gate's own acts, and where acts need no signature. `counted`:
    of a release, the items that its person released for the campaign within an hour; 0 = not known.
    """

    act: Act | None = None
    said: Mapping[str, Any] = field(default_factory=dict)
    fault: Unreadable | None = None
    about: Record | None = None
    entropy: bytes = b""
    signer: Signer | None = None
    counted: int = 0

    @classmethod
    def of(cls, record: Record, entropy: bytes = b"") -> ActRecord:
        """Decodes a record of `acts`. Never raises."""
        try:
            content = read(record)
            return cls._with(record, act=content.model, said=content.json, entropy=entropy)
        except Unreadable as fault:
            return cls._with(record, fault=fault)
        except Exception as error:  # a defect of ours must not stop the other acts
            return cls._with(record, fault=Unreadable(f"failed_{type(error).__name__}"))

    @classmethod
    def own(cls, item: Record, act: ItemAct | None = None) -> ActRecord:
        """An act of the gate itself about an item, present in the audit trail only. None = not known yet."""
        return cls._with(item, act=act, about=item)

    @classmethod
    def _with(cls, record: Record, **more: Any) -> ActRecord:
        place = record.topic, record.partition, record.offset, record.timestamp
        return cls(*place, record.key, record.value, record.headers, record.refused, record.era, **more)

    @property
    def names(self) -> tuple[str, int, int] | None:
        """Place of the record to read before judging the act: topic, partition, offset. None if no record is needed."""
        act = self.act
        if isinstance(act, Reemission):
            return act.source.topic, act.source.partition, act.source.offset
        if isinstance(act, Release | ItemAct) and ACT_KINDS[act.kind].states is not None:
            return "review", act.review.partition, act.review.offset
        return None

    @property
    def recipient_id(self) -> str | None:
        """Recipient id of the person whom the act concerns, None if the act names no known person."""
        about_somebody = isinstance(self.act, Release | ItemAct | Reemission | PairedAct)
        return self.act.recipient_id if about_somebody else None  # type: ignore[union-attr]

    @property
    def cause(self) -> Cause:
        """The act as the cause of its own audit record."""
        stage: Stage = "release" if self.act and ACT_KINDS[self.act.kind].lets_out else "act"
        return Cause.of(self, stage)


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer to an act: its outcome, the decision if one was made, outputs and ledger entries.

    `cause`: None = the act's own. `scope`: fields of the send that the act was about, if nothing was decided.
    `clearance`: the decision id of the piece that an undo recalled. `result`: as of `Judged`.
    """

    outcome: Outcome
    code: str | None = None
    evaluation: Evaluation | None = None
    outputs: tuple[Output, ...] = ()
    entries: tuple[Entry, ...] = ()
    cause: Cause | None = None
    scope: Mapping[str, Any] | None = None
    clearance: str | None = None
    result: Output | None = None


def answered(
    now: Moment, asked: ActRecord, answer: Answer, *, about: Clearance | None = None, item: str | None = None
) -> Judged:
    """An answer with its audit record.

    `about`: the clearance that an act about a campaign was applied to. `item`: the decision id of the item, if the act
    does not name the item.
    """
    act, evaluation, cause = asked.act, answer.evaluation, answer.cause or asked.cause
    whom, scope = asked.recipient_id, answer.scope or _scope(act)
    if about:
        whom, item, scope = about.send.recipient_id, about.did, judged_send(parsed(about.send).json)
    who, salt = now.subject(whom) if whom else (None, ())
    if salt and act and act.kind == "erase":
        who, salt = None, ()  # a partition that never named this person need not do so now
    fields = acted(act, answer.outcome, answer.code, item=item)
    if isinstance(act, Release) and act.kind == "release":
        fields["counted"] = asked.counted
    if asked.signer is not None and about is None:  # the record of a piece names the act
        fields["signed"] = [dict(asked.signer.kept)]
    if evaluation is None:
        proof = now.note(cause, fields, scope=scope, clearance=answer.clearance, subject=who)
    else:
        proof = evaluation.record(cause, subject=who, act=fields)
    decision = evaluation.decision if evaluation and answer.outcome in ("cleared", "withheld") else None
    return Judged(
        answer.outputs,
        proof,
        cause.id,
        decision.verdict if decision else None,
        decision.codes if decision else (),
        dead=answer.outcome == "unreadable",
        failed=answer.outcome == "failed" or (evaluation is not None and evaluation.error is not None),
        entries=(*answer.entries, *salt),
        result=answer.result,
    )


def failed(
    now: Moment,
    asked: ActRecord,
    error: Exception,
    *,
    entries: Callable[[], tuple[Entry, ...]] = tuple,
    cause: Cause | None = None,
    item: str | None = None,
) -> Judged:
    """The answer to an act on which our own code raised. Nothing is done, and the record names the error's place.

    `entries`: makes the ledger entries that the answer leaves. `cause`, `item`: as for `answered`. If the act's own
    content is what raises, the record has none of it.
    """
    code, cause = f"{type(error).__name__}-{fingerprint(error)}", cause or asked.cause
    try:
        return answered(now, asked, Answer("failed", code, entries=entries(), cause=cause), item=item)
    except Exception:
        return answered(now, replace(asked, act=None, signer=None), Answer("failed", code, cause=cause))


def acted(act: Act | None, outcome: Outcome, code: str | None = None, *, item: str | None = None) -> dict[str, Any]:
    """The fields of `schemas.audit.Acted`. `item`: the decision id of the item, if the act does not name the item."""
    if isinstance(act, Release | ItemAct | Reemission):
        item = act.decision_id
    more: dict[str, Any] = {"bulk": act.bulk} if isinstance(act, Release) and act.bulk is not None else {}
    if isinstance(act, PartitionAct):
        more = {"resumed": {name: getattr(act, name) for name in ("refused", "head", "sends", "acts")}}
    return {
        "act_id": act.act_id if act else None,
        "kind": act.kind if act else None,
        "by": act.by if act else None,
        "at": act.at if act else None,
        "evidence_ref": act.evidence_ref if act else None,
        "item": item,
        "outcome": outcome,
        "code": code,
        **more,
    }


def _scope(act: Act | None) -> dict[str, Any] | None:
    """The campaign and channel of an act that names them itself."""
    if isinstance(act, Reemission):
        return {"campaign_id": act.campaign_id, "channel": act.channel}
    return {"campaign_id": act.campaign, "channel": act.channel} if isinstance(act, CampaignAct) else None
