"""One record of `sends` leads to one audit record always, and one output."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest

from gatekeeper.audit.records import inquiry
from gatekeeper.deciding.snapshot import read_snapshot
from gatekeeper.engine.judged import Judged
from gatekeeper.engine.manifest import Taken, manifest
from gatekeeper.engine.sends import Judge
from gatekeeper.ground.partitioner import partition_of
from gatekeeper.identity import characters
from gatekeeper.knowledge.store import FactStore
from gatekeeper.policy.packs import load
from schemas.audit import NORMALISED, AuditRecord
from schemas.codec import canonical
from schemas.decision import CodedDecision
from schemas.events import Send
from schemas.manifests import Manifest
from schemas.record import Record
from tests.support import invented
from tests.support.bad_sends import BAD_SENDS
from tests.support.invented import decide
from tests.support.one_send import CLEAR, SEND_JUDGE, send_record


def judged(one: Record, *facts: invented.Event) -> Judged:
    return SEND_JUDGE.judge(one, invented.store(*facts), invented.T)


def headers(one: Judged) -> dict[str, str]:
    return {name: value.decode() for name, value in one.outputs[0].headers}


def test_clear_send_judged_then_the_very_bytes_go_to_cleared() -> None:
    one = send_record(headers=[("trace", b"\x00\x01"), ("ce_id", b"forged"), ("Gate-Verdict", b"clear")])
    found = judged(one, *CLEAR)
    (output,) = found.outputs

    assert (output.topic, output.key, output.value) == ("cleared", b"P-1", one.value)
    assert output.headers[0] == ("trace", b"\x00\x01")
    assert [name for name, _ in output.headers].count("ce_id") == 1
    told = headers(found)
    assert told["ce_id"] == told["gate-decision-id"] == found.did
    assert told["ce_time"] == "2026-11-24T01:00:00.000Z"
    named = {name: told[f"gate-{name}"] for name in ("verdict", "policy", "obligations")}
    assert named == {"verdict": "clear", "policy": "jp-pmark@1", "obligations": "MUST_PRINT_STOP_CONTACT"}
    assert found.did.startswith(inquiry.read(told["gate-inquiry"]))
    assert {"Gate-Verdict", "gate-decision"}.isdisjoint(told)


def test_withheld_send_judged_then_review_has_the_bytes_and_the_decision() -> None:
    one = send_record(key=None)
    found = judged(one, invented.source())
    (output,) = found.outputs

    assert (output.topic, output.key, output.value) == ("review", b"P-1", one.value)
    told = headers(found)
    decision = CodedDecision.model_validate_json(told["gate-decision"])
    assert (decision.verdict, decision.id) == ("confirm", found.did)
    assert told["gate-obligations"] == "MUST_ENCLOSE_NOTICE"
    assert "gate-inquiry" not in told


@pytest.mark.parametrize(("name", "key", "value", "fault"), BAD_SENDS, ids=[bad[0] for bad in BAD_SENDS])
def test_bad_send_judged_then_one_dead_letter_and_one_audit_record(
    name: str, key: bytes | None, value: bytes | None, fault: str
) -> None:
    one = Record(topic="mail.sends.v1", partition=3, offset=41, timestamp=invented.T, key=key, value=value)
    found = judged(one, *CLEAR)
    (output,) = found.outputs

    assert (output.topic, output.key, output.value) == ("deadletter", key, value)
    told = [headers(found)[f"gate-{one}"] for one in ("reason", "fault", "source", "decision-id")]
    assert told == ["EVENT_INVALID", fault, "sends/3/41", found.did]
    assert (found.dead, found.verdict, found.codes) == (True, "block", ("EVENT_INVALID",))
    assert AuditRecord.model_validate_json(found.audit).verdict == "block"


def test_send_judged_then_the_audit_record_is_whole_and_names_nobody() -> None:
    value = invented.send(
        delivery={"name": "見本 花子", "lines": ["緑山県若葉市1-1"], "email": "h@mail.example"}, match=[]
    )
    check = {"checked_at": "2025-03-03", "name": "さくら名簿", "address": "緑山県", "representative": "見本太郎"}
    more = {"method": "indirect.partner", "check": {**check, "how_obtained": "通販", "basis": "consent"}}
    source = invented.source(contact_points=[{"id": "cp-1", "written": value["delivery"]}], **more)
    found = judged(send_record(orjson.dumps(value)), source, invented.consent(), invented.suppression(token="cp-1"))
    read = AuditRecord.model_validate_json(found.audit)

    assert read.send is not None
    assert read.facts is not None
    assert set(read.send) == set(value) - {"delivery", "recipient_id"}
    assert read.facts.contact_point_from == ("S-1",)
    assert read.facts.printed == "tokenised"
    assert set(read.facts.refs) == {"controller/C1", "notice/OK", "purpose/*", "template/T-1"}
    assert read.engine.unicode == characters.VERSION
    for secret in ("P-1", "見本", "緑山", "h@mail", "t1_", "さくら", "通販"):
        assert secret.encode() not in found.audit
    assert found.audit == orjson.dumps(orjson.loads(found.audit), option=orjson.OPT_SORT_KEYS)


FLAT = {"name": "見本 花子", "lines": ["緑山県若葉市青葉町1-2-3 みどりハイツ101"]}
HOUSE = {"name": "見本花子 様", "lines": ["緑山県若葉市青葉町一丁目２番３号"]}


def sent(delivery: dict[str, Any] | None, **fields: Any) -> Record:
    return send_record(orjson.dumps(invented.send(delivery=delivery, **fields)))


@pytest.mark.parametrize(
    ("delivery", "key", "codes", "printed"),
    [
        (FLAT, True, (), "tokenised"),
        (HOUSE, True, ("PRINT_UNACCOUNTED",), "tokenised"),
        ({**FLAT, "lines": [*FLAT["lines"], "転送先 手本町4-5-6"]}, True, ("PRINT_UNACCOUNTED",), "unaccounted"),
        ({**FLAT, "name": "・"}, True, ("CONTACT_POINT_NOT_COVERED",), "not_an_address"),
        (FLAT, False, ("FACTS_UNAVAILABLE",), "no_key"),
        (None, True, ("EVENT_INVALID",), None),
    ],
)
def test_delivery_judged_then_the_record_says_what_became_of_it_and_replays(
    delivery: dict[str, Any] | None, key: bool, codes: tuple[str, ...], printed: str | None
) -> None:
    source = invented.source(contact_points=[{"id": "cp-1", "written": FLAT}])
    judge = Judge(load("jp-pmark"), 8, tokens=invented.TOKENS if key else None)
    found = judge.judge(sent(delivery), invented.store(source, invented.consent()), invented.T)
    read = AuditRecord.model_validate_json(found.audit)

    assert found.codes == codes
    assert read.facts is not None
    assert read.facts.printed == printed
    assert (read.engine.unicode is not None) == (printed in NORMALISED)
    assert replayed(found) == codes
    assert found.outputs[0].value == sent(delivery).value


def replayed(found: Judged) -> tuple[str, ...]:
    """Decides again from the record alone, and the reference."""
    read = json.loads(found.audit)
    again = read["send"] | {"recipient_id": "nobody"}
    again["contact_point"]["token"] = invented.token("nobody")
    one = Send.model_validate_json(json.dumps(again))
    return decide(
        one, read_snapshot(canonical(read["facts"])), invented.store().reference, SEND_JUDGE.packs, invented.T
    ).codes


class _Broken(FactStore):
    """A store with a defect: it fails on one person."""

    def view(self, send: Any, printed: Any = None, **more: Any) -> Any:
        if send.recipient_id == "P-1":
            raise ValueError("見本 花子")
        return super().view(send, printed, **more)


def test_defect_on_one_record_then_that_one_is_withheld_without_its_values() -> None:
    found = SEND_JUDGE.judge(send_record(), _Broken(), invented.T)
    assert (found.codes, found.failed, found.dead) == (("DECISION_FAILED",), True, False)
    assert found.outputs[0].topic == "review"
    assert "見本".encode() not in found.audit
    assert AuditRecord.model_validate_json(found.audit).reasons[0].says["type"] == "ValueError"
    other = send_record(orjson.dumps(invented.send(recipient_id="P-2")), key=None)
    assert SEND_JUDGE.judge(other, _Broken(), invented.T).failed is False


def test_recipient_on_another_partition_than_murmur2s_then_refused_unless_allowed() -> None:
    there = partition_of(b"P-1", 8)
    assert judged(send_record(partition=there), *CLEAR).misplaced is False
    for key in (b"P-1", None):
        found = judged(send_record(key=key, partition=(there + 1) % 8), *CLEAR)
        assert (found.verdict, found.codes, found.misplaced) == ("block", ("EVENT_INVALID",), True)
        assert dict(found.outputs[0].headers)["gate-remedy"] == b"partitioner=murmur2_random"
        assert found.outputs[0].value == send_record().value
    judge = Judge(SEND_JUDGE.packs, 8, tokens=invented.TOKENS, judge_misplaced=True)
    found = judge.judge(send_record(partition=(there + 1) % 8), invented.store(*CLEAR), invented.T)
    assert (found.verdict, found.misplaced) == ("clear", True)


def test_manifest_of_a_transaction_then_counts_and_chains() -> None:
    some = [
        judged(send_record(offset=10), *CLEAR),
        judged(send_record(offset=11), invented.source()),
        judged(send_record(b"x", offset=13), *CLEAR),
    ]
    value = manifest(
        writer="worker-0", kid="gk/worker+00000000", partition=3, judged=some, dead_facts=1, prev="0" * 64,
        taken=[Taken("mail.sends.v1", 10, 14, 3, [(12, 1)]), Taken("mail.acts.v1", 2, 3, 0, [(2, 1)])],
        as_of={"consents": [5, 7]}, policy=SEND_JUDGE.packs.at(invented.T), t0=invented.T, t1=invented.T + 5,
    )  # fmt: skip
    read = Manifest.model_validate_json(value)
    for taken in read.in_:
        assert taken.n + sum(gap.n for gap in taken.gaps) == taken.to - taken.first
    assert read.out.model_dump() == {"cleared": 1, "review": 1, "confirm": 0, "recall": 0, "dead": 2, "result": 3}
    assert (read.audit.n, read.audit.from_id) == (3, some[0].did)
    assert read.verdicts == {"clear": 1, "confirm": 1, "block": 1}
