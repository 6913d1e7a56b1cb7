"""A record withholds those whom it may concern, until enough managers let it go (docs/adr/0024)."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatekeeper.identity import printed
from gatekeeper.knowledge import gaps
from gatekeeper.knowledge.store import FactStore
from gatekeeper.policy.packs import load
from schemas.events import Send
from schemas.record import Refusal
from tests.support import invented, staff
from tests.support.desk import Desk
from tests.support.facts import fact

GATE = invented.gate(1)
B = invented.controller(id="C2", name="あおば通販", group="G2")
NINE = invented.token("cp-9").replace("t1_", "t1k9_")


class Log:
    """A store of a worker with key 1, and people registered; every record comes at the next offset of its topic."""

    def __init__(self, *events: invented.Event, registered: bool = True) -> None:
        self.store = FactStore(staff.ORIGIN, ours=GATE.prints)
        self._offsets = count()
        for topic, value in (*invented.REFERENCE, B):
            self.put(topic, value)
        if registered:
            self.refer(*staff.founding(at=staff.instant(invented.T)))
        for topic, value in events:
            self.put(topic, value)

    def put(self, topic: str, value: Any, key: str | None = None, **more: Any) -> str:
        """The place of the record."""
        offset = next(self._offsets)
        value = value if isinstance(value, bytes) or value is None else orjson.dumps(value)
        self.store.apply(replace(fact(topic, 0, offset, key and key.encode(), value), **more))
        return f"{topic}/0/{offset}"

    def refer(self, *lines: staff.Line) -> None:
        for key, value in lines:
            self.put("reference", value, key, timestamp=invented.T)

    def resolve(self, place: str, *by: str) -> None:
        topic, partition, offset = place.split("/")
        for one in by:
            said = {"v": 1, "kind": "resolution", "id": "r", "by": one, "reason": "-", "at": staff.instant(invented.T)}
            said |= {"topic": f"mail.{topic}.v1", "partition": int(partition), "offset": int(offset)}
            self.refer(*staff.signed(said, one, at=staff.instant(invented.T)))

    def codes(self, *, controller: str = "C1", person: str = "P-1", **more: Any) -> tuple[str, ...]:
        """The reasons against a send of this company."""
        sent = invented.send(controller_id=controller, recipient_id=person, **more)
        send = Send.model_validate_json(orjson.dumps(sent))
        facts = self.store.view(send, printed(GATE, send), **invented.NOW)
        return invented.decide(send, facts, self.store.reference, load("jp-pmark"), invented.T * 1000).codes

    def bars(self) -> bool:
        """True if a record bars a policy."""
        return bool(self.store.activations.over(load("jp-pmark")).bars)

    def whom(self) -> list[tuple[str, str, tuple[str, ...], int, int]]:
        """Of each record that withholds: its place, whose sends, and how many managers resolved it of those needed."""
        found = self.store.withholding(9)
        return [(one.record, one.withholds, one.companies, one.resolved, one.needed) for one in found]


def stop(token: str = NINE, **more: Any) -> invented.Event:
    topic, value = invented.suppression(suppression_id="X-9", **more)
    del value["recipient_id"]
    return topic, {**value, "token": token}


LIVES = (invented.source(), invented.consent())
UNKNOWN = ("FACTS_UNAVAILABLE",)


def test_a_company_s_stop_under_a_key_of_nobody_then_only_its_sends_are_withheld() -> None:
    log = Log(*LIVES)
    assert log.codes() == ()
    place = log.put(*stop(scope={"controller": "C2"}))
    assert log.codes() == ()
    assert log.codes(controller="C2") == UNKNOWN
    assert log.whom() == [(place, "companies", ("C2",), 0, 2)]
    place = log.put(*stop(scope={"controller": "C1"}))
    assert (log.codes(), log.codes(controller="C2")) == (UNKNOWN, UNKNOWN), "two scopes of one stop are every scope"


def test_a_stop_under_a_key_of_nobody_then_one_manager_lets_nobody_go_and_two_do() -> None:
    for early in (False, True):
        log = Log(*LIVES)
        place = f"suppressions/0/{next(log._offsets) + (5 if early else 1)}"
        if early:
            log.resolve(place, "hanako", "taro")
        assert log.put(*stop()) == place
        if not early:
            log.resolve(place, "hanako")
            assert log.codes() == UNKNOWN
            log.resolve(place, "Hanako".lower())
            assert (log.codes(), log.whom()) == (UNKNOWN, [(place, "everybody", (), 1, 2)])
            log.resolve(place, "taro")
        assert (log.codes(), log.whom()) == ((), [])
        assert not log.store.token_keys.unmatched
        again = log.put(*stop())
        assert (log.codes(), log.whom()[0][0]) == (UNKNOWN, again), "each record is passed for itself"


@pytest.mark.parametrize("key", [None, NINE])
def test_an_unreadable_stop_of_nobody_knows_whom_then_all_wait_for_two_managers(key: str | None) -> None:
    log = Log(*LIVES)
    place = log.put("suppressions", b"{}", key)
    assert log.codes() == UNKNOWN
    log.resolve(place, "hanako")
    assert (log.codes(), log.whom()) == (UNKNOWN, [(place, "everybody", (), 1, 2)])
    log.resolve(place, "taro")
    assert (log.codes(), log.whom()) == ((), [])


def test_an_unreadable_stop_of_another_key_of_our_number_then_everybody_is_withheld() -> None:
    log = Log(*LIVES)
    log.put("suppressions", b"{}", invented.token("cp-9"))
    assert log.codes() == (), "a token of ours, which this send does not have"
    log.put("suppressions", b"{}", invented.token("cp-9"), headers=(("gate-token-key", b"t1=00112233445566aa"),))
    assert log.codes() == UNKNOWN


BARRING = ["controller/C1", "purpose/mkt.dm.own", "template/T-1", "policy/jp-pmark", "notice/OK"]


@pytest.mark.parametrize("name", BARRING)
def test_two_bytes_of_nobody_on_reference_then_they_bar_nothing_once_staff_is_known(name: str) -> None:
    before = Log(*LIVES, registered=False)
    before.put("reference", b"{}", name)
    assert before.codes() != () or before.bars(), "nobody could sign it"
    log = Log(*LIVES)
    place = log.put("reference", b"{}", name)
    assert log.codes() == ()
    assert not log.bars()
    assert log.whom() == [(place, "nobody", (), 0, 1)], "and it is told"


def test_an_unreadable_record_that_a_manager_signed_then_it_bars_what_was_signed() -> None:
    name, kind, id_ = "controller/C1", "controller", "C1"
    newer = orjson.dumps({"v": 2, "kind": kind, "id": id_, "newer": True})
    for by, bars in (("hanako", True), ("yuki", False)):
        log = Log(*LIVES)
        (line, signature) = staff.signed((name, newer), by, at=staff.instant(invented.T))
        log.refer(line)
        assert log.codes() == ()
        log.refer(signature)
        assert (log.codes() == UNKNOWN or log.bars()) is bars
        if bars:
            log.resolve(log.whom()[0][0], "hanako")
            assert (log.codes(), log.whom()) == ((), [])
    log = Log(*LIVES)
    other = (f"{kind}/other", orjson.dumps({"v": 2, "kind": kind, "id": "other"}))
    log.refer(*staff.signed(other, "hanako", at=staff.instant(invented.T)))
    log.put("reference", other[1], name)  # the bytes that were signed, under another name
    assert log.codes() == ()


def test_a_batch_of_reference_that_a_disk_spoilt_then_all_wait_for_two_managers() -> None:
    log = Log(*LIVES)
    log.put("reference", None, refused=Refusal("batch_corrupt", "00" * 32, what="batch", base=500))
    for by, codes in ((None, UNKNOWN), ("hanako", UNKNOWN), ("taro", ())):
        log.resolve("reference/0/500", *filter(None, (by,)))
        assert log.codes() == codes, "a suspension and its signature may be in it"


def test_a_batch_whose_first_record_names_somebody_then_everybody_is_withheld() -> None:
    batch = {"refused": Refusal("batch_unreadable", "00" * 32, what="batch", base=900)}
    for order in ((0, 1), (1, 0)):
        log = Log(*LIVES)
        for one in order:
            log._offsets = count(901 if one else 900)
            log.put("consents", None if one else b"{", None if one else "P-2", **(batch if one else {}))
        assert log.codes() == UNKNOWN
        log.resolve("consents/0/900", "hanako")
        assert log.codes() == UNKNOWN


SCOPES = st.fixed_dictionaries(
    {},
    optional={
        "controller": st.sampled_from(("C1", "C2", "C-77", "*", None)),
        "group": st.sampled_from(("G1", "G2", "G-77", "*", None)),
        "purpose": st.sampled_from(("mkt.dm.own", "mkt", "mkt.nowhere", "*")),
        "channels": st.sampled_from((["postal"], ["email"], ["owl"], [])),
    },
)
KINDS = ("objection", "cessation", "erasure", "refusal_returned", "deceased", "undeliverable", "external")


@settings(max_examples=20, deadline=None)
@given(
    scope=SCOPES,
    kind=st.sampled_from(KINDS),
    ahead=st.booleans(),
    sender=st.sampled_from(("C1", "C2")),
    succession=st.sampled_from((None, "C2", "C-77", "C1")),
    left=st.booleans(),
)
def test_any_stop_under_a_key_of_nobody_then_it_withholds_each_send_it_would_stop(
    scope: dict[str, Any], kind: str, ahead: bool, sender: str, succession: str | None, left: bool
) -> None:
    more: dict[str, Any] = {}
    if succession:
        more = {"succession": {"predecessor": succession, "date": "2025-01-01"}, "method": "indirect.succession"}
    lives = (invented.source(collected_by=sender, **more), invented.consent(controller_id=sender))
    found = []
    for token in (invented.token("cp-1"), NINE, None):
        log = Log(*lives)
        arrived = invented.T + (-(10**9) if ahead else 0)
        if token:
            log.put(*stop(token, scope=scope, kind=kind), timestamp=arrived)
        if left:
            moved = invented.controller(id="C1", group="G9")[1]
            log.refer(*staff.signed(moved, "hanako", at=staff.instant(invented.T)))
        found.append(set(log.codes(controller=sender)))
    compared, unknown, none = found
    if compared != none:
        assert "FACTS_UNAVAILABLE" in unknown


@pytest.mark.parametrize(("companies", "others", "whom"), [(("C1",), (), "companies"), ((), UNKNOWN, "everybody")])
def test_a_gap_then_its_companies_are_withheld_until_two_managers_resolve_it(
    companies: tuple[str, ...], others: tuple[str, ...], whom: str
) -> None:
    log = Log(*LIVES)
    place = log.put(*invented.gap("caller/call-centre", *companies))
    assert (log.codes(), log.codes(controller="C2") == UNKNOWN) == (UNKNOWN, others == UNKNOWN)
    assert log.whom() == [(place, whom, companies, 0, 2)]
    assert log.store.withhold_everybody is (not companies)
    log.resolve(place, "hanako")
    assert log.codes() == UNKNOWN
    log.resolve(place, "taro")
    assert (log.codes(), log.whom(), log.store.withhold_everybody) == ((), [], False)


def test_a_gap_that_cannot_be_read_or_is_one_too_many_then_everybody_is_withheld(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log = Log(*LIVES)
    place = log.put("consents", {**invented.gap("method/web", "C2")[1], "controllers": "C2"}, "restored-1")
    assert (log.codes(), log.whom()[0][:2]) == (UNKNOWN, (place, "everybody"))
    monkeypatch.setattr(gaps, "GAPS", 1)
    log = Log(*LIVES, invented.gap("method/web", "C2"))
    assert log.codes() == ()
    place = log.put(*invented.gap("method/paper", "C2"))
    assert (log.codes(), log.whom()[0][:2]) == (UNKNOWN, (place, "everybody"))


def test_a_gap_then_the_cleared_is_neither_recalled_nor_handed_and_the_withheld_wait() -> None:
    desk = Desk(*invented.consenting("P-1"), *invented.consenting("P-2"))
    assert desk.send(recipient_id="P-1").verdict == "clear"
    topic, value = invented.gap("method/web", "C1")
    assert desk.store.apply(fact(topic, 1, 900, None, orjson.dumps(value))) is None
    found = desk.send(recipient_id="P-2")
    assert found.codes == UNKNOWN
    assert desk.records[-1].reasons[0].says == {"case": "gap", "what": "method/web (consents/1/900)"}
    assert desk.weigh() == []
    assert desk.campaign("handoff") == [("done", "")]
    before = len(desk.records)
    assert (desk.reconsider(), len(desk.records)) == (["withheld"], before), "it waits, and nothing is written"
    desk.resolve(900, by="hanako")
    desk.resolve(900, by="taro")
    assert desk.reconsider() == ["clear"]
    assert [outcome for outcome, _ in desk.campaign("handoff", act_id="later")] == ["handed", "handed", "done"]


def test_a_company_registered_after_the_stop_then_it_narrows_nothing() -> None:
    log = Log(*LIVES)
    log.put(*stop(scope={"controller": "C3"}), timestamp=invented.T - 5)
    third = {**invented.controller(id="C3", group="G3")[1]}
    log.refer(*staff.signed(third, "hanako", at=staff.instant(invented.T)))
    assert log.codes() == UNKNOWN
