"""One partition without Kafka: sends and acts judged in turn, and what they left in memory and on the topics.

The people of `tests.support.staff` are in force from the start, and the person in `by` signs each act.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import replace
from itertools import count
from typing import Any

import msgspec
import orjson

from gatekeeper.confirmation import code as codes
from gatekeeper.confirmation.answers import Questions
from gatekeeper.engine import asks as asking
from gatekeeper.engine.act import ActRecord
from gatekeeper.engine.acts import handling
from gatekeeper.engine.evaluation import Moment
from gatekeeper.engine.implied import InputIndex, implied
from gatekeeper.engine.judged import Judged
from gatekeeper.engine.recalls import weighed
from gatekeeper.engine.reconsideration import reconsider
from gatekeeper.engine.sends import Judge
from gatekeeper.engine.tail import WrittenRecord
from gatekeeper.ground.times import instant
from gatekeeper.knowledge.store import FactStore
from gatekeeper.ledger import entries
from gatekeeper.ledger.entries import Entry
from gatekeeper.ledger.state import LedgerState
from gatekeeper.policy.packs import load
from schemas.audit import Acts, AuditRecord
from schemas.codec import decode
from schemas.events import Ask
from schemas.record import Headers, Output, Record
from tests.support import invented, staff
from tests.support.facts import T, fact
from tests.support.ledger_oracle import Implied, Piece

MINUTE_MS = 60_000
JUDGE = Judge(load("jp-pmark"), 8, tokens=invented.TOKENS, subjects=invented.SUBJECTS, judge_misplaced=True)
YOUNG = (invented.source(may_be_minor=True), invented.consent())
"""AGE_UNCERTAIN: a colleague may release it, or ask."""
CHECK = {"checked_at": "2024-01-01", "name": "a", "address": "b", "representative": "c", "how_obtained": "d"}
BOUGHT = {"method": "indirect.purchased_list", "provided_by": "broker-a", "check": {**CHECK, "basis": "consent"}}
TWO = (
    invented.source(acquired_at=None),
    invented.source(source_id="S-2", notice_id=None, **BOUGHT),
    invented.consent(),
)
"""SOURCE_CONFLICT: two people must release it."""

DELIVERY = {"name": "見本 一郎", "postcode": "999-0001", "lines": ["緑山県若葉市青葉町1-2-3"]}
BROKER = {
    "method": "indirect.purchased_list",
    "batch_id": "B-SAKURA",
    "notice_id": None,
    "route": "broker-a",
    "contact_points": [{"id": "cp-1", "written": DELIVERY}],
}
"""Bought, and delivered where it says: its person must be asked."""


class Desk:
    """The worker's part for one partition, and a reviewer's view of it."""

    def __init__(self, *facts: invented.Event, judge: Judge = JUDGE, acts: Acts = "signed") -> None:
        self.judge = copy(judge)
        self.judge.acts = acts
        self.store: FactStore = invented.store(*facts)
        self.state = LedgerState()
        self.state.review = 0
        self.encode: Callable[[Any], bytes] = orjson.dumps
        """The JSON encoder of those who act."""
        self.sign: Callable[[Record], list[tuple[str, bytes]]] = arrival_signature
        """Signs a record of `acts`: by the person in its `by`, when it arrives."""
        self.counted = 1
        """The number of releases that the worker counts for each act."""
        self.ledger: dict[bytes, bytes] = {}
        self.outputs: dict[str, list[Output]] = {}
        self.review: list[Record] = []
        self.requests: dict[str, Record] = {}
        self.out: list[tuple[str, str]] = []
        """Topic and decision id of all that was put out."""
        self.records: list[AuditRecord] = []
        self.all: list[Judged] = []
        self.inputs: dict[tuple[str, int], Record] = {}
        """The records that were judged, by topic and offset."""
        self.at = invented.T
        if acts == "signed":
            staff.stand(self.store.log, at=self.at)
        self._swept = 0
        self._pieces: dict[str, Piece] = {}
        self._places: dict[str, int] = {}
        self._sends = self._acts = self._facts = 0
        self._ids = set[Any]()

    @property
    def now(self) -> Moment:
        """All that is judged by at this instant."""
        return Moment(self.judge, self.store, self.state, self.at)

    def asked(self, record: Record, about: Record | None, now: Moment | None = None) -> Judged:
        """Judges a record of `acts`, `about` being the record that it names."""
        record = replace(record, headers=(*record.headers, *self.sign(record)))
        entropy = bytes(range(codes.ENTROPY_BYTES))
        act = replace(ActRecord.of(record, entropy), about=about, counted=self.counted)
        now = now or self.now
        judge = copy(now.evaluator)
        judge.acts = self.judge.acts
        (found,) = handling(act).step(msgspec.structs.replace(now, evaluator=judge), [], 1)
        return found

    def learn(self, *facts: invented.Event) -> None:
        """Applies further facts."""
        for topic, value in facts:
            self._facts += 1
            offset = self._facts if topic == "reference" else len(self.records)
            data = orjson.dumps(value)
            made = staff.corrected(topic, value, at=staff.instant(T))
            assert self.store.apply(replace(fact(topic, 1, offset, None, data), headers=made)) is None
            if topic == "reference" and self.judge.acts == "signed":
                self._endorse(value)

    def _endorse(self, value: dict[str, Any]) -> None:
        """Applies the signatures of a record of `reference`: of the people in `by`, else of a manager."""
        by = value.get("by") or "hanako"
        name = f"{value['kind']}/{value.get('id') or value.get('terms_id')}"
        people = (by,) if isinstance(by, str) else by
        for key, made in staff.signed((name, orjson.dumps(value)), *people, at=staff.instant(T))[1:]:
            self._facts += 1
            assert self.store.apply(fact("reference", 1, self._facts, key.encode(), made)) is None

    def spoil(self, recipient_id: str, offset: int) -> None:
        """Applies a record of `consents` that cannot be read."""
        assert self.store.apply(fact("consents", 1, offset, recipient_id.encode(), b"{")) is not None

    def resolve(self, offset: int, topic: str = "consents", *, by: str = "hanako") -> None:
        """Applies the word of a manager that an unreadable record has been dealt with."""
        named = {"id": f"{topic}-1-{offset}", "topic": topic, "partition": 1, "offset": offset}
        said = {"v": 1, "kind": "resolution", **named, "by": by, "reason": "entered again", "at": "2026-11-24"}
        self.learn(("reference", said))

    def send(
        self, sent: dict[str, Any] | None = None, *, late: bool = False, headers: Headers = (), **fields: Any
    ) -> Judged:
        """Judges a send, given whole or by what is special about it; `late`: facts are not known up to now."""
        self._sends += 1
        value = orjson.dumps(sent or invented.send(**fields))
        record = Record("mail.sends.v1", 3, self._sends, self.at, None, value, headers)
        self.inputs["sends", self._sends] = record
        as_of = self.at - self.judge.packs.at(self.at).max_lag_ms - 1 if late else None
        return self._written(self.judge.judge(record, self.store, self.at, as_of=as_of, ledger=self.state), value)

    def weigh(self) -> list[Judged]:
        """Judges every live clearance again; returns the recalls."""
        clearances = list(self.state.clearances(self.at))
        found = [weighed(self.now, one) for one in clearances]
        return [self._written(one, None) for one in found if one]

    def act(self, kind: str, item: int = -1, **fields: Any) -> tuple[str, str | None]:
        """Judges an act about an item (which one of `review`); returns its outcome and the refusal's code."""
        number = next(n for n in count(1) if f"{kind}-{n}" not in self._ids)
        given = {"act_id": f"{kind}-{number}", "at": instant(self.at - MINUTE_MS), **fields}
        return self.judged(invented.item_act(kind, self.told(item), **given))

    def told(self, item: int = -1) -> dict[str, Any]:
        """Returns how an act names an item."""
        if not self.review:
            return {}
        record = self.review[item]
        return invented.named_item(record.value, record.headers, 3, item % len(self.review))

    def judged(self, value: dict[str, Any] | bytes) -> tuple[str, str | None]:
        """Judges a record of `acts`."""
        self._acts += 1
        data = value if isinstance(value, bytes) else self.encode(value)
        record = Record("mail.acts.v1", 3, self._acts, self.at, None, data)
        self.inputs["acts", self._acts] = record
        said = orjson.loads(data) if isinstance(value, dict) else {}
        self._ids.add(said.get("act_id"))
        place = said.get("review")
        there = place is not None and 0 <= place["offset"] < len(self.review)
        item = self.review[place["offset"]] if there and place else None
        found = self.asked(record, item)
        self._written(found, item.value if item else None)
        act = self.records[-1].act
        assert act is not None
        return act.outcome, act.code

    def reemit(self, did: str, **fields: Any) -> tuple[str, str | None]:
        """Judges an act that asks for a cleared piece again; returns its outcome and the refusal's code."""
        piece, *_ = (one for one in self.outputs["cleared"] if dict(one.headers)["gate-decision-id"].decode() == did)
        said = orjson.loads(piece.value or b"")
        act = {"v": 1, "kind": "reemit", "act_id": "reemit-1", "at": instant(self.at), "by": "hanako",
               **{name: said[name] for name in ("recipient_id", "campaign_id", "channel")}, "decision_id": did,
               "source": {"topic": "sends", "partition": 3, "offset": 1}, **fields}  # fmt: skip
        self._acts += 1
        record = Record("mail.acts.v1", 3, self._acts, self.at, None, self.encode(act))
        self.inputs["acts", self._acts] = record
        source = Record("mail.sends.v1", 3, 1, self.at, piece.key, piece.value)
        self._written(self.asked(record, source), piece.value)
        done = self.records[-1].act
        assert done is not None
        return done.outcome, done.code

    def reconsider(self) -> list[str | None]:
        """Judges again whoever waits for an answer or for facts; returns the verdicts, without which one waits on."""
        found = []
        stand = {dict(record.headers)["gate-decision-id"].decode(): record for record in self.review}
        wait = list[str]()
        for name in dict.fromkeys((*filter(None, self.state.names()), *self.state.rejudged())):
            wait += self.state.waiting(name, self.at, answered=asking.answered(self.store, self.state, name))
        for did in wait:
            item = stand[did]
            again = reconsider(self.now, item)
            cleared = again.judged is not None and again.judged.verdict
            found.append(cleared or ("withheld" if again.codes else None))
            if again.judged is not None:
                self._written(again.judged, item.value)
        return found

    def asks(self) -> list[Ask]:
        """Returns what stands on `confirmations`."""
        return [decode("confirmations", one.key, one.value) for one in self.outputs.get("confirmations", ())]

    def campaign(
        self, kind: str, *, most: int = 1_000, steps: int | None = None, **fields: Any
    ) -> list[tuple[str, str]]:
        """Judges an act about the campaign K-1, `most` clearances a step; returns each record's outcome and item.

        `steps`: only so many of them, as if the worker ended then.
        """
        named = {"subject": "campaign/K-1", "act_id": f"{kind}-1", **fields}
        act = {"v": 1, "kind": kind, "at": instant(self.at), "by": "hanako", **named}
        place = int.from_bytes(named["act_id"].encode()) % 2**40  # the same act stands where it stood
        record = Record("mail.acts.v1", 3, place, self.at, None, self.encode(act))
        self.inputs["acts", place] = record
        found = handling(ActRecord.of(replace(record, headers=self.sign(record))))
        before = len(self.records)
        while not found.done and steps != 0:
            for judged in found.step(self.now, [], most):
                self._written(judged, None)
            steps = None if steps is None else steps - 1
        acts = [record.act for record in self.records[before:]]
        return [(act.outcome, act.item or "") for act in acts if act]

    def read_back(self) -> LedgerState:
        """Returns the ledger and the salts as a take-over reads them."""
        state = LedgerState()
        for key, value in self.ledger.items():
            take = state.salts.take if Entry(key, value).topic == "salts" else state.take
            take(key, value or None)
        return state

    def check_ledger(self) -> None:
        """Asserts that the ledger is what the audit records imply, no entry more or less, and can be made anew."""
        ledger = {key.decode(): orjson.loads(value) for key, value in self.ledger.items() if value}
        Implied(self.judge.packs, self._pieces).take(self.records).check(ledger, self._swept)
        self.check_anew()

    def check_anew(self) -> None:
        """Asserts that the product makes the same ledger from the audit records, but for what no longer matters."""
        anew, kept = ({key: value for key, value in each.items() if value} for each in (self._anew(), self.ledger))
        over = {
            key for key in anew.keys() - kept.keys() if (orjson.loads(anew[key])["until"] or self._swept) <= self._swept
        }
        assert {key: value for key, value in anew.items() if key not in over} == kept

    def _anew(self) -> dict[bytes, bytes]:
        """Returns the ledger as it is made anew from the audit records and what they are about; salts are as they were.

        `held` items are looked for from where they stand, not from before.
        """
        state, ledger, inputs = LedgerState(), dict[bytes, bytes](), InputIndex(self.inputs, self.requests)
        for judged in self.all:
            state.review = self._places.get(judged.did, 0)
            one = WrittenRecord(judged.audit, orjson.loads(judged.audit))
            salts = (
                entry for entry in judged.entries if entry.key.startswith(b"salt/") and b"salt" in (entry.value or b"")
            )
            for entry in (*implied(one, inputs, self.judge, self.store, state), *salts):
                state.put(entry)
                ledger[entry.key] = entry.value or b""
        return ledger

    def _kept(self, entry: Entry) -> None:
        self.state.put(entry)
        self.ledger[entry.key] = entry.value or b""

    def _written(self, found: Judged, value: bytes | None) -> Judged:
        for entry in found.entries:
            self._kept(entry)
        self._swept = self.at
        self._places[found.did] = len(self.review)
        for entry in self.state.expiry.due(self.at, 1_000):
            self._kept(entry)
        self.all.append(found)
        self.records.append(AuditRecord.model_validate_json(found.audit))
        self.out += [(output.topic, found.did) for output in found.outputs]
        for output in found.written:
            self.outputs.setdefault(output.topic, []).append(output)
            if output.topic in ("cleared", "review"):
                assert output.value == value, "the very bytes"
                self._pieces[found.did] = Piece.of(orjson.loads(output.value), len(self.review))
            if output.topic == "review":
                place = len(self.review)
                headers = output.headers
                self.review.append(Record("mail.review.v1", 3, place, self.at, output.key, output.value, headers))
                self.inputs["review", place] = self.review[-1]
                self.state.review = len(self.review)
            if output.topic == "confirmations":
                self.requests[found.did] = Record("mail.confirmations.v1", 3, 0, self.at, output.key, output.value)
        return found


def arrival_signature(record: Record) -> list[tuple[str, bytes]]:
    """The signature of an act by the person in its `by`, made when the act arrives."""
    return staff.signature(record.value, at=staff.instant(record.timestamp))


def answered(desk: Desk, **row: str) -> invented.Event:
    """Returns the consent event that a card with the code of the only ask leads to."""
    questions = Questions([ask for key, value in desk.ledger.items() if (ask := entries.asked(key, value))], [])
    code = desk.asks()[0].answer_code or ""
    row = {"code": codes.shown(code), "answer": "yes", "date": "2026-11-25", "evidence_ref": "scan-1", **row}
    consent = questions.answer(row, now="2026-11-30T00:00:00.000Z", zone="Asia/Tokyo")
    return "consents", orjson.loads(consent.model_dump_json(exclude_none=True))
