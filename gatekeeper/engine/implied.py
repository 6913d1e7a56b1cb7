"""Rebuilds the ledger entries of a transaction from its audit records and their inputs.

Nothing is judged: each record holds its decision, and the input identifies the send. A lost salt cannot be rebuilt.
The person then gets a new salt, and their older records can no longer be linked to them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from gatekeeper.deciding.decide import Decision
from gatekeeper.deciding.redacted import redacted_fields
from gatekeeper.engine import item as review
from gatekeeper.engine.act import ActRecord
from gatekeeper.engine.acts import erasure_entries
from gatekeeper.engine.evaluation import Evaluation, Moment
from gatekeeper.engine.evaluator import Evaluator
from gatekeeper.engine.judged import Cause
from gatekeeper.engine.tail import WrittenRecord
from gatekeeper.ground.times import span
from gatekeeper.knowledge.store import FactStore
from gatekeeper.ledger import entries
from gatekeeper.ledger.entries import Clearance, Entry, ItemState
from gatekeeper.ledger.state import LedgerState
from gatekeeper.policy.policy import Policy
from gatekeeper.policy.reasons import Found
from gatekeeper.staff.act_kinds import ERASURES, State
from gatekeeper.staff.message import WINDOW_MS, milliseconds
from schemas.codec import Parsed, Unreadable, parse, parsed, read
from schemas.events import CampaignAct, ItemAct, PairedAct, Release, Send
from schemas.record import Record
from schemas.topics import logical_name

InputKey = tuple[str, int]
"""A topic of the registry, and an offset on the partition."""


@dataclass(frozen=True, slots=True)
class InputIndex:
    """Inputs of audit records: inputs and items by place, asks by decision id."""

    records: Mapping[InputKey, Record]
    asks: Mapping[str, Record]


class MissingInput(Exception):
    """Raised if the input or the clearance of a record is gone, so its entries cannot be rebuilt."""


def places(some: Iterable[WrittenRecord]) -> Iterator[InputKey]:
    """Yields the places of the inputs of audit records."""
    for record in some:
        yield logical_name(record.said["src"]["topic"]), record.said["src"]["offset"]


def items(acts: Iterable[Record]) -> Iterator[InputKey]:
    """Yields the places of the items that acts name."""
    for act in acts:
        if logical_name(act.topic) == "acts" and (place := ActRecord.of(act).names):
            yield place[0], place[2]


def implied(
    record: WrittenRecord, inputs: InputIndex, judge: Evaluator, store: FactStore, ledger: LedgerState
) -> tuple[Entry, ...]:
    """The entries that were written with a record; the caller puts them into `ledger` before the next record.

    `ledger`: its state before the record. Raises MissingInput if the record's input or clearance is gone.
    """
    return _Implying(record, inputs, judge, store, ledger).entries()


class _Implying:
    """One record with the inputs for its entries."""

    def __init__(
        self, record: WrittenRecord, inputs: InputIndex, judge: Evaluator, store: FactStore, ledger: LedgerState
    ) -> None:
        self._inputs, self._ledger = inputs, ledger
        self._said, self._act = record.said, record.said.get("act") or {}
        self._at = span(record.said["at"], "UTC").first // 1000
        self._src = record.said["src"]
        self._moment = Moment(judge, store, ledger, self._at)
        self._policy = _policy(judge, store, self._at, record.said["policy"])

    def entries(self) -> tuple[Entry, ...]:
        """The entries of the record."""
        return *self._own(), *self._seen()

    def _seen(self) -> tuple[Entry, ...]:
        """The entry by which a copy of a signed act is refused."""
        act_id, signed = str(self._act.get("act_id")), self._act.get("signed") or ()
        return tuple(entries.seen(act_id, milliseconds(sig["at"]) + WINDOW_MS) for sig in signed)

    def _own(self) -> tuple[Entry, ...]:
        stage, outcome = self._said["stage"], self._act.get("outcome")
        if stage == "intake":
            return self._intake()
        if stage == "recall" or (stage == "handoff" and outcome == "recalled"):
            return self._recalled(self._said.get("clearance") or self._act.get("item"))
        if stage == "handoff":
            return self._again(outcome)
        if outcome == "done":
            return self._done()
        if outcome == "recorded":
            return self._recorded()
        return self._item(outcome)

    def _intake(self) -> tuple[Entry, ...]:
        codes = [reason["code"] for reason in self._said["reasons"]]
        if self._said["send"] is None or codes in (["EVENT_INVALID"], ["DECISION_FAILED"]):
            return ()
        return self._remembered(_parsed("sends", self._input()))

    def _remembered(self, sent: Parsed[Send]) -> tuple[Entry, ...]:
        """The ledger entries of the record's decision on a send."""
        return self._evaluated(sent).remembered(Cause(self._said["did"], self._said["stage"], self._src))

    def _evaluated(self, sent: Parsed[Send]) -> Evaluation:
        at_point = self._moment.evaluator.printed(sent.model)
        return Evaluation(self._moment, sent, self._decision(), printed=at_point)

    def _ended_releases(self, send: Send) -> tuple[Entry, ...]:
        return Evaluation(self._moment, parsed(send), self._decision()).ended_releases()

    def _recalled(self, did: str | None) -> tuple[Entry, ...]:
        clearance = self._clearance(did)
        return *clearance.forgotten, *self._ended_releases(clearance.send)

    def _again(self, outcome: str | None) -> tuple[Entry, ...]:
        """The entries of a hand-off or re-emission, also of one that was refused."""
        clearance = self._clearance(self._said.get("clearance"))
        act_id = self._act["act_id"]
        if outcome == "handed":
            return (self._ledger.handed(clearance, act_id),)
        if outcome == "reemitted":
            return (self._ledger.reemitted(clearance, act_id),)
        return self._ended_releases(clearance.send)

    def _done(self) -> tuple[Entry, ...]:
        """The entry of a cancelled campaign; a hand-off itself leaves none."""
        act = self._read()
        if not isinstance(act, CampaignAct) or act.kind != "cancel":
            return ()
        return (entries.cancelled(act.campaign, act.channel, self._at, until=self._at + review.KEPT_MS),)

    def _recorded(self) -> tuple[Entry, ...]:
        if self._act.get("kind") not in ERASURES:
            return ()
        act = self._read()
        if not isinstance(act, PairedAct) or act.recipient_id is None:
            return ()
        return erasure_entries(self._ledger, act.recipient_id, self._at, act)

    def _item(self, outcome: str | None) -> tuple[Entry, ...]:
        """The entries of an act about a review item, or of the gate's own act about one."""
        own = logical_name(self._src["topic"]) == "review"
        item_id, record = self._act.get("item"), self._input()
        act = None if own else self._read()
        if not own and not isinstance(act, Release | ItemAct):
            return ()
        place = record.offset if own else act.review.offset if act is not None else -1
        item = record if own else self._inputs.records.get(("review", place))
        withheld = review.item(item.key, item.value, dict(item.headers)) if item else None
        if outcome == "failed":
            return self._left(record, str(item_id or record.header("gate-decision-id")), withheld) if own else ()
        if outcome in ("refused", "unreadable") and not self._said["reasons"]:
            return ()
        if item is None or withheld is None:
            raise MissingInput
        send, last = withheld.send, self._ledger.standing(withheld.send.recipient_id, withheld.did)
        if outcome == "refused":
            return self._ended_releases(send)
        form = self._form(act, last)
        kept: tuple[Entry, ...] = ()
        state = review.after("redecide" if form is None else "release", outcome)
        if outcome in ("cleared", "withheld"):
            kept = self._remembered(withheld.sent)
            if form is not None and "RELEASE_SUPERSEDED" not in self._decision().codes:
                kept += (entries.release(send, withheld.did, form, until=self._at + review.KEPT_MS),)
        elif outcome == "asked":
            kept = (*self._asked(withheld.sent), *self._ended_releases(send))
        elif outcome in ("undone", "recalled"):
            kept = (Entry(entries.release_key(send, withheld.did), None),)
            if outcome == "recalled":
                clearance = self._ledger.about(send, self._at).clearance
                kept += clearance.forgotten if clearance else ()
        if state is None:
            return kept
        return (*kept, self._closed(withheld, state, form, last, place))

    def _form(self, act: Any, last: ItemState | None) -> dict[str, Any] | None:
        """The redacted form of the release that an act is about, in the form that the worker keeps."""
        if isinstance(act, Release):
            return review.redacted_form(act, self._act.get("counted"))
        if isinstance(act, ItemAct) and act.kind == "approve" and last and last.said:
            return {**last.said, "by": sorted((act.by, last.by))}
        return last.said if isinstance(act, ItemAct) and act.kind == "undo" and last else None

    def _asked(self, sent: Parsed[Send]) -> tuple[Entry, ...]:
        if self._act.get("code") == "waits_along":
            return ()
        send, record = sent.model, self._inputs.asks.get(self._said["did"])
        if record is None:
            raise MissingInput
        ask = _parsed("confirmations", record)
        fields, _ = redacted_fields("confirmations", ask.json)
        more = {"answer_code": ask.model.answer_code, "contact_point_id": send.contact_point.id}
        entry = entries.ask(send.recipient_id, self._said["did"], fields, **more)
        return entry, *self._evaluated(sent).question(self._said["did"], ask.model.source_id)

    def _closed(
        self,
        withheld: review.ReviewRecord,
        state: State,
        form: dict[str, Any] | None,
        last: ItemState | None,
        place: int,
    ) -> Entry:
        decided = state in ("released", "redecided", "asked")
        before = last.acts if last else ()
        standing = ItemState(
            state,
            self._act["act_id"],
            self._act["by"],
            did=self._said["did"] if decided else None,
            said=form if state in ("released", "proposed", "undone") else None,
            offset=place if state in review.WAITING else None,
            before=tuple(name for name in before if name != self._act["act_id"]),
            signed=state == "proposed" and any(sig["method"] != "vouched" for sig in self._act.get("signed") or ()),
        )
        return entries.act(withheld.send.recipient_id, withheld.did, standing, until=withheld.until)

    def _left(self, record: Record, item: str, withheld: review.ReviewRecord | None) -> tuple[Entry, ...]:
        """The entry of an item that the gate no longer judges by itself, after a defect."""
        owner = (record.key or b"").decode()
        last = self._ledger.standing(owner, item)
        if last is None:
            return ()
        left = replace(last, offset=None, rejudge=None)
        return (entries.act(owner, item, left, until=withheld.until if withheld else self._at + review.KEPT_MS),)

    def _input(self) -> Record:
        record = self._inputs.records.get((logical_name(self._src["topic"]), self._src["offset"]))
        if record is None:
            raise MissingInput
        return record

    def _read(self) -> Any:
        try:
            return read(self._input()).model
        except Unreadable:
            raise MissingInput from None

    def _clearance(self, did: str | None) -> Clearance:
        campaign = self._said["campaign"]
        for key in self._ledger.of_campaign(campaign or ""):
            clearance = self._ledger.clearance(key, self._at)
            if clearance is not None and clearance.did == did:
                return clearance
        raise MissingInput

    def _decision(self) -> Decision:
        record = self._said
        reasons = tuple(Found(reason["code"], tuple(reason["facts"]), reason["says"]) for reason in record["reasons"])
        notes, must = tuple(record["notes"]), tuple(record["obligations"])
        return Decision(record["verdict"], reasons, notes, must, record["basis"], self._at, self._policy)


def _parsed(topic: str, record: Record) -> Parsed[Any]:
    try:
        return parse(topic, record.key, record.value)
    except Unreadable:
        raise MissingInput from None


def _policy(judge: Evaluator, store: FactStore, at: int, ref: Mapping[str, Any]) -> Policy:
    """The policy version that decided, else the version in force at that time if the text is not available."""
    packs = judge.holding(store)
    matching = (policy for policy in packs.every if policy.sha256 == ref["sha256"])
    return next(matching, packs.at(at))
