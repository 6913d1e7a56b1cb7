"""Erased: nothing is sent, no later consent helps, and only a readmission lets a person return."""

from __future__ import annotations

from typing import Any, cast

import orjson

from gatekeeper.ground.times import instant
from gatekeeper.knowledge.reference_log import ReferenceLog
from schemas.audit import AuditRecord
from schemas.codec import encode
from schemas.record import Record
from streams.client.reader import Reader
from streams.operations import erasures
from tests.support import invented, staff
from tests.support.desk import DELIVERY, Desk
from tests.support.one_send import CLEAR


def paired(desk: Desk, kind: str, person: str = "P-1", by: str = "hanako") -> AuditRecord:
    act = {"v": 1, "kind": kind, "act_id": f"{kind}-{len(desk.records)}", "at": instant(desk.at), "by": by}
    assert desk.judged({**act, "recipient_id": person, "reason": "asked by letter"}) == ("recorded", None)
    return desk.records[-1]


def kept(desk: Desk) -> dict[bytes, bytes]:
    """The entries of the ledger but for the ids of acts, which name no recipient."""
    return {key: value for key, value in desk.ledger.items() if value and not key.startswith(b"seen/")}


def stop(**fields: Any) -> invented.Event:
    value = {"v": 1, "kind": "erasure", "suppression_id": "erase-1-0", "received_at": instant(invented.T)}
    return "suppressions", {**value, "recipient_id": "P-1", **fields}


class Topics:
    """Stands for what reads a broker."""

    def __init__(self, *events: invented.Event, keyed: bool) -> None:
        self._events, self._keyed = events, keyed

    def read(self, topic: str) -> list[Record]:
        values = [value for name, value in self._events if name == topic]
        names = [(value.get("recipient_id") or value.get("token") or "").encode() for value in values]
        return [
            Record(topic, 0, n, invented.T, name if self._keyed else None, orjson.dumps(value), ())
            for n, (name, value) in enumerate(zip(names, values, strict=True))
        ]


def reader(*events: invented.Event, keyed: bool = True) -> Reader:
    return cast("Reader", Topics(*events, keyed=keyed))


def test_erased_then_no_later_consent_helps_and_nobody_is_named() -> None:
    desk = Desk(*CLEAR)
    paired(desk, "erase")
    desk.learn(invented.consent(record_id="R-9", state="RenewedGiven", event_time="2026-11-23T10:00:00+09:00"))
    assert desk.send().codes == ("SUBJECT_ERASED",), "also where the stop itself is not there"
    found = desk.records[-1]
    assert (found.subj, found.in_mac, found.facts and found.facts.erased) == (None, None, desk.at)


def test_cleared_before_then_called_back() -> None:
    desk = Desk(*CLEAR)
    assert desk.send().verdict == "clear"
    desk.learn(stop())
    paired(desk, "erase")
    (recalled,) = desk.weigh()
    assert [output.topic for output in recalled.outputs] == ["recalls"]
    assert desk.records[-1].subj is None
    assert list(kept(desk)) == [b"erased/P-1/"]


def test_readmitted_by_one_manager_then_no_later_yes_lifts_the_erasure() -> None:
    desk = Desk(*CLEAR)
    desk.learn(stop())
    paired(desk, "erase")
    desk.at += 1000
    yes = invented.consent(record_id="R-9", event_time=instant(desk.at))
    for kind in ("readmit", "readmit", "erase"):
        paired(desk, kind)
        assert desk.send(campaign_id="K-8").codes == ("SUBJECT_ERASED",)
    desk.learn(yes)
    paired(desk, "readmit", by="taro")
    assert desk.send(campaign_id="K-8").codes == ("SUBJECT_ERASED",), "an erasure ends what one had said"
    desk.check_anew()
    paired(desk, "readmit")
    desk.check_anew()
    assert desk.state.salts.erased_at("P-1") is None


def test_erased_then_a_list_that_says_less_of_the_address_brings_nobody_back() -> None:
    at = {**DELIVERY, "lines": [*DELIVERY["lines"], "手本様方"]}
    known, _, _ = erasures.addresses(reader(invented.source(contact_points=[{"id": "cp-1", "written": at}])), "P-1")
    bought = invented.source(recipient_id="P-2", contact_points=[{"id": "cp-1", "written": DELIVERY}])
    desk = Desk(bought, invented.consent(recipient_id="P-2"))
    for one in erasures.stops("P-1", known, act_id="1", at=instant(invented.T)):
        desk.learn(("suppressions", orjson.loads(encode(one))))
    assert desk.send(recipient_id="P-2", delivery=DELIVERY).codes == ("SUBJECT_ERASED",)


def test_the_desks_stops_with_ids_like_ours_then_readmission_takes_back_no_others() -> None:
    own, other = stop(suppression_id="erase-2026-1"), invented.suppression(token="cp-9", kind="erasure")[1]
    theirs = "suppressions", {**other, "suppression_id": "erase-2026-2"}
    act = "0" * 32
    ours = [
        ("suppressions", orjson.loads(encode(one)))
        for one in erasures.stops("P-1", [(invented.token("cp-1"), ())], act_id=act, at=instant(invented.T))
    ]
    found = erasures.standing(reader(own, theirs, *ours), "P-1", ReferenceLog())
    assert sorted(one.suppression_id for one in found) == [f"erase-{act}-0", f"erase-{act}-1", "erase-2026-1"]


def test_a_correction_that_no_manager_signed_then_the_erasure_still_stands() -> None:
    own, log = stop(suppression_id="erase-1"), ReferenceLog(staff.ORIGIN)
    back = "suppressions", {**own[1], "state": "corrected", **invented.OF_MANAGERS}
    assert erasures.standing(reader(own, back), "P-1", ReferenceLog()) == [], "in a file"
    assert erasures.standing(reader(own, back), "P-1", log), "before anybody was registered, who could sign"
    for fields in ({"by": "hanako"}, {"evidence_ref": None}):
        half = back[0], invented.bare({**back[1], **fields})
        assert erasures.standing(reader(own, half), "P-1", log), "two managers stand for it, with evidence"
    staff.known(log, "taro", "manager", at=0)
    assert [one.suppression_id for one in erasures.standing(reader(own, back), "P-1", log)] == ["erase-1"]
