"""The signatures of an export's acts are checked offline against the people that travel with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
import pytest

from gatekeeper.audit.verify.act_signatures import Signers
from gatekeeper.audit.verify.findings import Report
from gatekeeper.staff.roster import Member
from schemas.codec import canonical, decode, encode
from tests.support import invented, staff
from tests.support.authenticator import Passkey
from tests.support.desk import YOUNG
from tests.support.office import SIGNED_AT, Office, acted_by


def people(more: Sequence[staff.Line] = ()) -> list[dict[str, Any]]:
    lines = [*staff.founding(at=SIGNED_AT), *more]
    return [one.plain for one in staff.person_lines(arrived=invented.T, lines=lines)]


@pytest.fixture(scope="module")
def records() -> list[bytes]:
    """The audit records of a release by a reviewer, and of a note for which the console vouched."""
    desk = Office(*YOUNG)
    desk.send()
    desk.act("release", **acted_by("kenji", evidence_ref="form-1"))
    desk.word = True
    desk.act("note", 0, **acted_by("yuki", "n-1"))
    return [judged.audit for judged in desk.all[1:]]


def report(*records: bytes, known: list[dict[str, Any]] | None = None, origin: str = staff.ORIGIN) -> Report:
    found = Report()
    signers = Signers(found, origin)
    signers.learn(people() if known is None else known)
    for record in records:
        signers.take(record, (3, 7))
    signers.say()
    return found


def notes(desk: Office) -> list[Any]:
    """Returns three notes of kenji about a send."""
    desk.send()
    said = [invented.item_act("note", desk.told(), **acted_by("kenji", f"n-{n}")) for n in range(3)]
    return [decode("acts", None, orjson.dumps(one)) for one in said]


def changed(record: bytes, **fields: Any) -> bytes:
    said = orjson.loads(record)
    said["act"]["signed"][0] |= fields
    return canonical(said)


def test_acts_that_people_signed_then_they_are_counted_by_how(records: list[bytes]) -> None:
    found = report(*records)
    counts = ("acts_signed", {"by_key": 1, "by_passkey": 0, "by_vouched": 1})
    first = ("founder", {"by": "hanako", "public": staff.key("hanako").public})
    assert (found.findings, found.says) == ([], [counts, first])


def test_acts_of_one_touch_then_each_is_checked_in_its_place_of_the_table() -> None:
    passkey = Passkey("kenji", "k1")
    desk = Office(*YOUNG)
    desk.store.log.roster.put(Member.of(staff.person("kenji", keys=[passkey.key]), desk.at))
    acts = notes(desk)
    headers = staff.touched(passkey, acts, at=SIGNED_AT)
    for act, header in zip(acts, headers, strict=True):
        value = encode(act)
        desk.encode, desk.sign = lambda _, value=value: value, lambda _, made=header: [made]
        assert desk.judged(act.model_dump(mode="json")) == ("recorded", None)
    records = [judged.audit for judged in desk.all[1:]]
    lines = people(staff.signed(staff.person("kenji", keys=[passkey.key]), *staff.MANAGERS, at=SIGNED_AT))
    found = report(*records, known=lines)
    assert (found.findings, found.says[0]) == ([], ("acts_signed", {"by_key": 0, "by_passkey": 3, "by_vouched": 0}))
    table = orjson.loads(records[0])["act"]["signed"][0]["table"]
    for wrong in ({**table, "index": 1}, {**table, "row": -1}, None):
        assert [one.code for one in report(changed(records[0], table=wrong), known=lines).findings] == ["act_signature"]
    moved = canonical({**orjson.loads(records[0]), "campaign": "K-2"})
    assert [one.code for one in report(moved, known=lines).findings] == ["act_signature"]


def test_acts_of_an_earlier_release_then_they_are_unsigned(records: list[bytes]) -> None:
    said = orjson.loads(records[0])
    del said["act"]["signed"]
    found = report(canonical(said), known=[])
    assert (found.findings, found.says) == ([], [("acts_unsigned", {"count": 1})])


def test_a_changed_signature_then_it_is_found(records: list[bytes]) -> None:
    for fields in ({"by": "hanako"}, {"at": "2026-11-24T01:00:00.001Z"}, {"sha256": "0" * 64}, {"sig": "AAAA"},
                   {"subject": "uphold/" + "A" * 26}, {"method": None},
                   {"method": "vouched", "console": "console", "signin": "password"}):  # fmt: skip
        assert [one.code for one in report(changed(records[0], **fields)).findings] == ["act_signature"], fields


def test_a_changed_act_then_its_signature_does_not_fit(records: list[bytes]) -> None:
    for name, value in (("by", "hanako"), ("kind", "uphold"), ("act_id", "other"), ("item", "B" * 26)):
        said = orjson.loads(records[0])
        said["act"][name] = value
        assert [one.code for one in report(canonical(said)).findings] == ["act_signature"]


def test_a_signer_who_was_nobody_then_then_it_is_found(records: list[bytes]) -> None:
    assert [one.code for one in report(records[0], known=[]).findings] == ["signer_unknown"]
    said = orjson.loads(records[0])
    said["src"]["timestamp"] = invented.T - 1
    assert [one.code for one in report(canonical(said)).findings] == ["signer_unknown"]
    assert [one.code for one in report(records[0], origin="test.gatekeeper").findings] == ["signer_unknown"]


def test_people_that_cannot_be_read_then_it_says_so() -> None:
    lines = [{"partition": 0, "offset": 0, "timestamp": 0, "value": "{}"}, {}, None]
    assert [one.code for one in report(known=lines).findings] == ["staff_line"] * 3
