"""A record derived again: the same byte for byte, and whatever was made up in it is found and named."""

from __future__ import annotations

from hashlib import sha256
from typing import Any, get_args

import orjson
import pytest

from gatekeeper.audit.checks.by_hash import ByHash
from gatekeeper.audit.checks.record_difference import difference
from gatekeeper.audit.checks.replay import Replayed, replay
from gatekeeper.audit.records.releases import RELEASES, RULES
from gatekeeper.engine.sends import Judge
from gatekeeper.policy.packs import load
from gatekeeper.policy.reasons import CATALOGUE
from schemas.audit import Stage
from schemas.codec import canonical
from schemas.record import Record
from tests.support import invented
from tests.support.records import Recorded, named, of_every_kind

LIBRARY = ByHash(named())


def recorded(*facts: invented.Event, **send: Any) -> dict[str, Any]:
    """Returns the record of one send, to be tampered with."""
    desk = Recorded(*facts)
    desk.send(**send)
    found: dict[str, Any] = orjson.loads(desk.values[0])
    return found


def replayed(said: dict[str, Any], library: ByHash = LIBRARY) -> Replayed:
    return replay(canonical(said), library)


def test_every_reason_and_stage_then_the_same_byte_for_byte() -> None:
    values, found = of_every_kind()
    library = ByHash(found)
    results = [replay(value, library) for value in values]
    assert [one for one in results if one.finding not in ("same", "told", "silent")] == []
    said = [orjson.loads(value) for value in values]
    assert {reason["code"] for one in said for reason in one["reasons"]} == set(CATALOGUE)
    decided = {one.stage for one in results if one.finding == "same"}
    assert decided == set(get_args(Stage))
    assert {"told", "silent"} < {one.finding for one in results}


def test_cleared_without_basis_then_found_with_what_would_have_been_said() -> None:
    said = recorded(invented.source())
    assert said["verdict"] == "confirm"
    said.update(verdict="clear", reasons=[], obligations=["MUST_PRINT_STOP_CONTACT"])
    found = replayed(said)
    assert (found.finding, found.did, found.place) == ("drift", said["did"], "verdict")
    assert (found.recorded, found.derived) == ('"clear"', '"confirm"')


NO = {"code": "DECISION_FAILED", "facts": [], "says": {"type": "ValueError", "fingerprint": "0" * 12}}
UNKNOWN = {"code": "POLICY_UNKNOWN", "facts": [], "says": {"case": "unreadable", "policy": "jp-pmark", "what": "x"}}


@pytest.mark.parametrize(
    ("changed", "place"),
    [
        ({"verdict": "block"}, "verdict"),
        ({"did": "A" * 26}, "did"),
        ({"at": "2016-11-24T01:00:00.000Z"}, "verdict"),
        ({"stage": "handoff"}, "did"),
        ({"clearance": "B" * 26}, "verdict"),
        ({"facts": None}, "facts"),
        ({"send": None}, "send"),
        ({"reasons": [NO]}, "verdict"),
        ({"reasons": [UNKNOWN]}, "verdict"),
        ({"campaign": "K-9"}, "campaign"),
        ({"mode": "live"}, "mode"),
    ],
)
def test_anything_else_made_up_then_the_first_field_that_differs_is_named(changed: dict[str, Any], place: str) -> None:
    found = replayed({**recorded(invented.source(), invented.consent()), **changed})
    assert (found.finding, found.place) == ("drift", place)


def test_a_record_with_a_recipient_or_a_delivery_then_found() -> None:
    said = recorded(invented.source(), invented.consent())
    for more in ({"recipient_id": "P-1"}, {"delivery": {"name": "A"}}, {"unheard_of": 1}):
        assert replayed({**said, "send": {**said["send"], **more}}).place.startswith("send")


def test_bytes_that_are_not_canonical_then_found() -> None:
    desk = Recorded(invented.source(), invented.consent())
    desk.send()
    assert replay(desk.values[0], LIBRARY).finding == "same"
    assert replay(desk.values[0].replace(b",", b", ", 1), LIBRARY).finding == "drift"
    assert replay(desk.values[0].replace(b'"version":1}', b'"version":1.0}', 1), LIBRARY).finding == "unknown"


def test_an_act_that_clears_without_a_decision_then_found() -> None:
    desk = Recorded()
    desk.send()
    desk.act("note")
    said = orjson.loads(desk.values[1])
    assert replayed(said).finding == "silent"
    said["act"]["outcome"] = "cleared"
    assert replayed(said)[4:6] == ('"cleared"', '"failed"')


def test_a_hand_off_of_what_fell_then_found() -> None:
    desk = Recorded(invented.source(), invented.consent())
    desk.send()
    desk.learn(invented.suppression())
    desk.campaign("handoff")
    said = orjson.loads(desk.values[1])
    assert (said["act"]["outcome"], replayed(said).finding) == ("recalled", "same")
    said["act"]["outcome"] = "handed"
    assert replayed(said).place == "act.outcome"


def test_facts_that_were_late_by_a_setting_then_the_record_tells_how_late() -> None:
    judge = Judge(load("jp-pmark").with_max_lag(7), 8, tokens=invented.TOKENS)
    desk = Recorded(invented.source(), invented.consent())
    record = Record("mail.sends.v1", 3, 1, invented.T, None, orjson.dumps(invented.send()))
    found = judge.judge(record, desk.store, invented.T, as_of=invented.T - 8)
    assert found.codes == ("FACTS_STALE",)
    assert replay(found.audit, LIBRARY).finding == "same"


def test_bytes_that_a_record_names_are_missing_or_others_then_it_cannot_be_told() -> None:
    said = recorded(invented.source(), invented.consent())
    shelf = named()
    shelf.policies.clear()
    assert replayed(said, ByHash(shelf)).why == f"policy {said['policy']['sha256']}"
    shelf = named()
    digest = said["facts"]["refs"]["controller/C1"]
    shelf.references[digest] += b" "
    found = replayed(said, ByHash(shelf))
    assert (found.finding, found.why) == ("unknown", f"reference {digest}")
    versions = canonical({"1": "金糸雀 鳴海"})  # somebody in place of a hash
    digest = sha256(versions).hexdigest()
    shelf.references[digest] = versions
    facts = {**said["facts"], "refs": {"joint_use_terms/JU": digest}}
    assert replayed({**said, "facts": facts}, ByHash(shelf)).why == f"reference {digest}"


def test_another_version_of_the_record_then_it_cannot_be_told() -> None:
    said = recorded(invented.source(), invented.consent())
    assert replayed({**said, "v": 2})[0::6] == ("unknown", "record")
    assert replay(b"{", LIBRARY).finding == "unknown"
    for name in ("at", "asof"):
        assert replayed({**said, name: "2026-99-24T10:00:00.000Z"}).why == "record"


@pytest.mark.parametrize(
    "changed", [{"verdict": "block"}, {"reasons": [{"code": "OTHER_RULE", "facts": [], "says": {}}]}], ids=str
)
def test_another_decision_by_rules_of_another_release_then_it_is_unverified(changed: dict[str, Any]) -> None:
    said = {**recorded(invented.source(), invented.consent()), **changed}
    for rules, releases, finding in (
        (RULES, RELEASES, "drift"),
        (RULES + 1, RELEASES, "unverified"),
        (1, RELEASES, "drift"),  # no release ever had them
        (1, {**RELEASES, 1: "0.0.1"}, "unverified"),
    ):
        said["engine"]["rules"] = rules
        found = replay(canonical(said), LIBRARY, releases=releases)
        assert (found.finding, found.place.partition("[")[0]) == (finding, *changed)
        assert found.why == (f"rules {rules}" if finding == "unverified" else "")


UNREAD = {"code": "EVENT_INVALID", "facts": [], "says": {"case": "unreadable", "fault": "not_json"}}


@pytest.mark.parametrize("rules", [1, RULES + 1])
@pytest.mark.parametrize(
    ("changed", "finding"),
    [
        ({"send": None}, "drift"),
        ({"facts": None}, "drift"),
        ({"did": "A" * 26}, "drift"),
        ({"src": {"topic": "mail.acts.v1", "partition": 3, "offset": 1, "timestamp": invented.T}}, "drift"),
        ({"send": None, "facts": None, "reasons": [UNREAD]}, "drift"),
        ({"policy": {"id": "x", "version": 1, "sha256": "0" * 64}}, "unknown"),
    ],
    ids=str,
)
def test_a_record_that_does_not_follow_then_no_number_of_rules_excuses_it(
    changed: dict[str, Any], finding: str, rules: int
) -> None:
    said = {**recorded(invented.source(), invented.consent()), **changed}
    said["engine"]["rules"] = rules
    assert replay(canonical(said), LIBRARY, releases={**RELEASES, 1: "0.0.1"}).finding == finding


def test_fields_of_a_later_contract_then_only_later_rules_excuse_them() -> None:
    said = recorded(invented.source(), invented.consent()) | {"unheard_of": 1}
    for rules, finding in ((1, "unknown"), (RULES, "unknown"), (RULES + 1, "unverified")):
        said["engine"]["rules"] = rules
        assert replay(canonical(said), LIBRARY, releases={**RELEASES, 1: "0.0.1"}).finding == finding
        assert replay(canonical({"engine": said["engine"]}), LIBRARY).finding == "unknown"


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        ({"a": 1}, {"a": True}, ("a", "1", "true")),
        ({"a": [1]}, {"a": [1, 2]}, ("a[1]", "-", "2")),
        ({"a": "Hanako Midori"}, {"a": "090-7777-1234"}, ("a", '"?"', '"?"')),
        ({"Hanako": 1}, {}, ("?", '"?"', "-")),
        ({"a": [{"code": "X", "Hanako": "X"}]}, {"a": []}, ("a[0]", '{"?":"?","code":"X"}', "-")),
    ],
)
def test_two_values_then_the_first_difference(one: Any, other: Any, found: Any) -> None:
    assert difference(one, other) == found
