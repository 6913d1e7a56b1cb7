"""A cleared piece asked for again: written once if it still stands, the very bytes; in doubt nothing goes out."""

from __future__ import annotations

from typing import Any, cast

import orjson
import pytest
from click.testing import CliRunner

from gatekeeper.audit.checks.by_hash import ByHash
from gatekeeper.audit.checks.replay import replay
from gatekeeper.cli import gatekeeper
from gatekeeper.engine.evaluation import Moment
from gatekeeper.engine.judged import Judged
from gatekeeper.engine.sends import Judge
from gatekeeper.ground.errors import UsageError
from gatekeeper.policy.packs import load
from schemas.audit import AuditRecord
from schemas.codec import Unreadable, decode
from schemas.events import Send
from schemas.events.acts import SourcePlace
from schemas.record import Output, Record
from schemas.record import Record as Stored
from streams.client.reader import Reader
from streams.operations import reemissions
from tests.support import canaries, invented
from tests.support.desk import JUDGE, Desk
from tests.support.records import named

LIBRARY = ByHash(named())
NO = invented.consent(
    record_id="R-9", state="Withdrawn", purpose="*", channels="*", notice_id=None, event_time="2026-11-24"
)
SENT = orjson.dumps(invented.send(), option=orjson.OPT_INDENT_2)


@pytest.fixture
def desk() -> Desk:
    found = Desk(invented.source(), invented.consent())
    record = Record("mail.sends.v1", 3, 1, found.at, None, SENT)
    found._written(found.judge.judge(record, found.store, found.at, ledger=found.state), SENT)
    assert "cleared" in found.outputs
    return found


def again(
    desk: Desk, value: bytes | None = SENT, *, judge: Judge = JUDGE, as_of: int | None = None, **fields: Any
) -> tuple[Judged, str, str | None]:
    """Judges an act that asks for the one piece; returns what came of it, its outcome and code."""
    act = {
        "v": 1, "kind": "reemit", "act_id": "re-1", "at": "2026-11-24T10:00:00+09:00", "by": "hanako",
        "recipient_id": "P-1", "campaign_id": "K-1", "channel": "postal", "decision_id": desk.records[0].did,
        "source": {"topic": "sends", "partition": 3, "offset": 1}, **fields,
    }  # fmt: skip
    record = Record("mail.acts.v1", 3, 9, desk.at, b"P-1", orjson.dumps(act))
    item = Record("mail.sends.v1", 3, 1, desk.at, None, value) if value is not None else None
    desk.at += 60_000
    found = desk.asked(record, item, Moment(judge, desk.store, desk.state, desk.at, as_of))
    for entry in found.entries:
        desk.state.put(entry)
    told = AuditRecord.model_validate_json(found.audit)
    assert told.act
    assert replay(found.audit, LIBRARY).finding in ("same", "silent")
    assert b"P-1" not in found.audit
    return found, told.act.outcome, told.act.code


def test_still_stands_then_the_very_record_is_written_again(desk: Desk) -> None:
    (first,) = desk.outputs["cleared"]
    found, outcome, code = again(desk)
    assert (outcome, code, found.outputs) == ("reemitted", None, (first,))
    record = AuditRecord.model_validate_json(found.audit)
    assert (record.stage, record.verdict, record.clearance) == ("handoff", "clear", desk.records[0].did)


def test_asked_twice_of_the_same_loss_then_written_once_and_after_a_new_loss_again(desk: Desk) -> None:
    assert again(desk)[1] == "reemitted"
    found, *refused = again(desk, act_id="re-2")
    assert (refused, found.outputs) == (["refused", "repeated"], ())
    assert again(desk, act_id="re-3", after="re-1")[1] == "reemitted"


def test_withdrawn_since_then_nothing_is_written_and_the_record_says_why(desk: Desk) -> None:
    desk.learn(NO)
    found, *refused = again(desk)
    assert (refused, found.outputs) == (["refused", "stands_no_longer"], ())
    reasons = AuditRecord.model_validate_json(found.audit).reasons
    assert [reason.code for reason in reasons] == ["CONSENT_WITHDRAWN"]
    assert len(desk.weigh()) == 1, "its recall goes out by itself"
    assert again(desk, act_id="re-2")[1:] == ("refused", "not_cleared")


def test_facts_late_then_nothing_is_written(desk: Desk) -> None:
    found, *refused = again(desk, as_of=desk.at - 3_600_000)
    assert (refused, found.outputs) == (["refused", "stands_no_longer"], ())


@pytest.mark.parametrize(
    ("value", "fields", "code"),
    [
        (None, {}, "source_missing"),
        (SENT, {"decision_id": "A" * 26}, "not_cleared"),
        (SENT, {"campaign_id": "K-2"}, "not_cleared"),
        (b"{", {}, "source_differs"),
        (orjson.dumps(invented.send(event_id="E-2")), {}, "source_differs"),
        (orjson.dumps(invented.send(delivery={"name": "例 次郎", "lines": ["別町9-9"]})), {}, "source_differs"),
    ],
)
def test_what_was_not_cleared_so_then_it_is_refused(
    desk: Desk, value: bytes | None, fields: dict[str, Any], code: str
) -> None:
    found, *refused = again(desk, value, **fields)
    assert (refused, found.outputs) == (["refused", code], tuple[Output, ...]())


def test_shadow_then_nothing_is_written(desk: Desk) -> None:
    shadow = Judge(load("jp-pmark"), 8, "shadow", tokens=invented.TOKENS, judge_misplaced=True)
    assert again(desk, judge=shadow)[1:] == ("refused", "shadow")


def test_released_before_then_the_record_of_review_is_the_source() -> None:
    desk = Desk(invented.source(may_be_minor=True), invented.consent())
    desk.send()
    assert desk.act("release") == ("cleared", None)
    (first,) = desk.outputs["cleared"]
    item = desk.review[0]
    act = {
        "v": 1, "kind": "reemit", "act_id": "re-1", "at": "2026-11-24T10:00:00+09:00", "by": "hanako",
        "recipient_id": "P-1", "campaign_id": "K-1", "channel": "postal", "decision_id": desk.records[-1].did,
        "source": {"topic": "review", "partition": 3, "offset": 0},
    }  # fmt: skip
    record = Record("mail.acts.v1", 3, 9, desk.at, b"P-1", orjson.dumps(act))
    assert desk.asked(record, item).outputs == (first,)


def test_hard_fact_since_a_release_then_the_refusal_ends_it_in_the_ledger_as_well() -> None:
    desk = Desk(invented.source(may_be_minor=True), invented.consent())
    desk.send()
    assert desk.act("release") == ("cleared", None)
    desk.learn(NO)
    assert desk.reemit(desk.records[-1].did) == ("refused", "stands_no_longer")
    assert "RELEASE_SUPERSEDED" in [reason.code for reason in desk.records[-1].reasons]
    assert not [key for key, value in desk.ledger.items() if key.startswith(b"release/") and value]
    desk.check_ledger()


@pytest.mark.parametrize(
    ("option", "by", "reason"),
    [
        ("--by", "090-7777-1234", "lost"),
        ("--reason", "hanako", "金糸雀 鳴海" * 40),
        ("--reason", "hanako", "金糸雀\n鳴海"),
    ],
)
def test_a_value_that_no_act_may_hold_then_its_option_is_named_and_the_value_is_not(
    option: str, by: str, reason: str
) -> None:
    words = ["audit", "reemit", "--topic", "cleared", "--by", by, "--reason", reason]
    done = CliRunner().invoke(gatekeeper, words)
    assert isinstance(done.exception, UsageError)
    assert option in str(done.exception)
    assert not canaries.found(str(done.exception).encode())


@pytest.mark.parametrize("field", ["by", "evidence_ref"])
def test_an_act_that_names_a_telephone_number_then_it_is_no_act(field: str) -> None:
    act = {
        "v": 1, "kind": "reemit", "act_id": "re-1", "at": "2026-11-24T10:00:00+09:00", "by": "hanako",
        "recipient_id": "P-1", "campaign_id": "K-1", "channel": "postal", "decision_id": "D",
        "source": {"topic": "sends", "partition": 3, "offset": 1},
    }  # fmt: skip
    assert decode("acts", None, orjson.dumps(act)).act_id == "re-1"
    with pytest.raises(Unreadable):
        decode("acts", None, orjson.dumps({**act, field: "090-7777-1234"}))


class Topics:
    """Stands for what reads a broker."""

    def __init__(self, **topics: list[bytes]) -> None:
        self._topics = topics

    def read(self, topic: str, *, since: int | None = None) -> list[Stored]:
        return [Stored(topic, 3, n, invented.T, None, value, ()) for n, value in enumerate(self._topics.get(topic, []))]

    def settled(self, topic: str) -> dict[int, int]:
        return {}

    starts = settled


@pytest.mark.parametrize(
    "wrong",
    [
        {"did": "金糸雀 鳴海"},
        {"did": ["x"]},
        {"src": {"topic": "mail.sends.v1", "offset": [1]}},
        {"src": {"topic": "mail.acts.v1", "offset": 1}},
        {"act": {"outcome": "reemitted", "item": "A" * 26, "act_id": "金糸雀 鳴海"}},
    ],
)
def test_an_audit_record_of_no_worker_then_what_is_missing_is_found_beside_it(
    desk: Desk, wrong: dict[str, Any]
) -> None:
    (real,) = (one.audit for one in desk.all)
    did = desk.records[0].did
    foreign = orjson.dumps({**orjson.loads(real), "did": "B" * 26, **wrong})
    audit = [real, foreign.replace(b"A" * 26, did.encode())]
    lost = reemissions.find(cast("Reader", Topics(audit=audit, sends=[b"{}", SENT])), now=invented.T)
    (asked_,) = reemissions.acts(lost, by="hanako", run="r")
    assert (asked_.decision_id, asked_.after, lost.gone, lost.askable) == (did, None, [], 1)


def test_a_long_run_of_acts_then_each_is_dated_when_it_is_taken_to_be_written() -> None:
    place, sent = SourcePlace(topic="sends", partition=3, offset=1), Send.model_validate_json(SENT)
    missing = {f"D{n}": reemissions.Missing(3, 1, None, source=place, send=sent) for n in range(3)}
    clock = ["2026-11-24T10:00:00Z"]
    acts = reemissions.acts(reemissions.LostRecords(missing=missing), by="hanako", run="r", clock=lambda: clock[0])
    assert next(acts).at == "2026-11-24T10:00:00Z"
    clock[0] = "2026-11-24T10:11:00Z"
    assert [act.at for act in acts] == [clock[0]] * 2, "a copy dated at the start would be too old by now"
