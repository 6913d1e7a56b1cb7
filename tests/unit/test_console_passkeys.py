"""Signing in the browser: what a page asks for, what it takes, and what it refuses before anything is written."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Any

import pytest

from gatekeeper.cli.staff import _passkey as read_line
from gatekeeper.console import passwords
from gatekeeper.console.signings import MAX_OF_ONE, SECONDS, SaidBefore, Signing, Signings
from gatekeeper.console.users import Users
from gatekeeper.ground.errors import UsageError
from gatekeeper.staff.signed_acts import Signer, correctors, weigh
from schemas.codec import encode, parsed
from schemas.events import Act, Suppression
from schemas.record import Headers, Record
from schemas.topics import subject_key
from streams.client import broker_access
from streams.client.outgoing import Outgoing
from streams.client.passkey_prompt import PasskeyPrompt, apart
from streams.client.proven_position import ProvenPosition
from streams.operations.endorsement import Endorsable
from tests.support import staff
from tests.support.authenticator import Passkey, base64url, challenge_in
from tests.support.desk import TWO, Desk
from tests.support.offline_console import Browser, OfflineConsole, offline_console, referred, user_file
from tests.support.reference_log import ReferenceLog
from tests.support.roles import act_of

PEOPLE = {"kenji": "reviewer", "yuki": "approver", "hanako": "manager", "taro": "manager"}
SITE = "https://gate.example"
CONTROLLER = {"v": 1, "kind": "controller", "id": "C1", "name": "みどり"}


def keyed(by: str) -> dict[str, Any]:
    """The record of a person who has a passkey beside the key file."""
    return staff.person(by, keys=[*staff.person(by)["keys"], Passkey(by).key])


def reference(console: OfflineConsole, *lines: staff.Line) -> None:
    """Puts records of `reference` into the model, behind those that are there."""
    model = console.console.model
    model.take(referred(list(lines), model.positions().get(("reference", 0), ProvenPosition(0)).next))


def endorsable(console: OfflineConsole) -> list[Endorsable]:
    with console.console.model.read() as db:
        return console.console.registrations.now(db).endorsed.endorsable()


@pytest.fixture
def console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OfflineConsole:
    """A console with a key, on which everybody is registered; and an item that takes two."""
    monkeypatch.setattr(passwords, "LOG_N", 10)
    monkeypatch.setattr(broker_access, "CONNECT_MS", 30)  # none is there
    desk = Desk(*TWO)
    desk.send()
    users = Users(user_file(tmp_path, {name: {"roles": (role,)} for name, role in PEOPLE.items()}))
    found = offline_console(tmp_path, users, desk, settings={"console_url": SITE})
    reference(found, *(line for by in ("yuki", "hanako", "taro") for line in staff.signed(keyed(by), "hanako", "taro")))
    return found


def item(console: OfflineConsole) -> str:
    with console.console.model.read() as db:
        return str(db.execute("SELECT id FROM item").fetchone()[0])


def released(console: OfflineConsole, client: Browser) -> str:
    """Presses "release" for an item that takes two people; returns the address where it must be signed."""
    form = {"kind": "release", "run": "r1", "reason": "申込書を確認", "evidence": "form-1"}
    answer = client.post(f"/items/{item(console)}/acts", data=form)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def told(answer: Any) -> tuple[int, bool]:
    """The status, and whether the page says that the passkey's answer was refused."""
    return answer.status_code, "could not be verified" in answer.text


def test_a_release_that_takes_two_then_the_page_says_what_is_signed_before_it_is(console: OfflineConsole) -> None:
    client = console.client("hanako")
    place = released(console, client)
    page = client.get(place).text
    for words in ("Release: 1 items", "hanako", "申込書を確認", "form-1", item(console)[:8]):
        assert words in page
    assert challenge_in(page) == challenge_in(client.get(place).text), "the same challenge each time"


def test_a_touch_then_it_is_taken_and_only_kafka_is_missing(console: OfflineConsole) -> None:
    client, passkey = console.client("hanako"), Passkey("hanako")
    place = released(console, client)
    touch = {"key": "p1", **passkey.touched(challenge_in(client.get(place).text))}
    assert client.post(place, data=touch).status_code == 503, "no broker to write to"
    assert client.post(place, data=touch).status_code == 410, "a touch is used once"


def test_a_touch_of_another_page_or_without_its_user_then_it_is_refused(console: OfflineConsole) -> None:
    client = console.client("hanako")
    place = released(console, client)
    wrong: dict[str, Any]
    for wrong in ({"type": "webauthn.create"}, {"origin": "https://evil.example"}, {"party": "evil.example"},
                  {"flags": 1}, {"client": {"crossOrigin": True}},
                  {"client": {"challenge": base64url(bytes(32))}}):  # fmt: skip
        touch = {"key": "p1", **Passkey("hanako").touched(challenge_in(client.get(place).text), **wrong)}
        assert told(client.post(place, data=touch)) == (422, True), wrong


def test_the_touch_of_another_person_another_key_or_another_act_then_it_is_refused(console: OfflineConsole) -> None:
    client = console.client("hanako")
    first, second = released(console, client), released(console, client)
    challenge = challenge_in(client.get(first).text)
    for touch in (
        {"key": "p1", **Passkey("taro").touched(challenge)},
        {"key": "k1", **Passkey("hanako").touched(challenge)},
        {"key": "p9", **Passkey("hanako").touched(challenge)},
        {"key": "p1", **Passkey("hanako").touched(challenge_in(client.get(second).text))},
        {"key": "p1"},
        {},
    ):
        assert told(client.post(first, data=touch)) == (422, True)
    other = console.client("taro")
    assert other.get(first).status_code == 410, "nobody signs what another person began"
    assert other.post(first, data={"key": "p1", **Passkey("taro").touched(challenge)}).status_code == 410


def test_a_record_that_waits_then_a_manager_sees_what_changes_and_signs_it(console: OfflineConsole) -> None:
    reference(console, *staff.signed(CONTROLLER, "hanako"))
    reference(console, *staff.signed(staff.person("kenji", ["manager"]), "hanako"))
    page = console.client("taro").get("/records").text
    assert "staff/kenji" in page
    row = endorsable(console)[0]
    form = {"name": row.name, "offset": str(row.offset)}
    assert console.client("hanako").post("/records", data=form).status_code == 409, "hanako signed it"
    client = console.client("taro")
    place = client.post("/records", data=form).headers["location"]
    page = client.get(place).text
    assert "You sign the record staff/kenji" in page
    touch = {"key": "p1", **Passkey("taro").touched(challenge_in(page))}
    assert client.post(place, data=touch).status_code == 503, "no broker to write to"


def test_a_new_passkey_then_a_line_for_a_manager_registers_it(console: OfflineConsole) -> None:
    client = console.client("kenji")
    passkey = Passkey("kenji", "k2")
    challenge = base64url(challenge_in(client.get("/passkeys").text))
    page = client.post("/passkeys", data=passkey.created(challenge)).text
    found = re.search(r"gatekeeper staff add kenji --passkey (\S+?)<", page)
    assert found, page
    assert {"id": "k2", **read_line(found[1])} == passkey.key
    reference(console, *staff.signed(staff.person("kenji", keys=[passkey.key]), "hanako", "taro"))
    assert "this console" in client.get("/passkeys").text


def test_a_passkey_of_another_page_or_without_its_user_then_no_line(console: OfflineConsole) -> None:
    client = console.client("kenji")
    challenge = base64url(challenge_in(client.get("/passkeys").text))
    wrong: dict[str, Any]
    for wrong in ({"origin": "https://evil.example"}, {"party": "evil.example"}, {"flags": 0x41}, {"flags": 0x05},
                  {"client": {"type": "webauthn.get"}}, {"client": {"challenge": base64url(bytes(32))}}):  # fmt: skip
        assert client.post("/passkeys", data=Passkey("kenji").created(challenge, **wrong)).status_code == 400, wrong
    fields = Passkey("kenji").created(challenge)
    for name in fields:
        assert client.post("/passkeys", data={**fields, name: "AAAA"}).status_code == 400, name


def outgoing(act: Any) -> Outgoing:
    return Outgoing("acts", subject_key("acts", act).encode(), encode(act), 0)


def test_a_touch_of_a_policy_and_one_of_its_act_then_both_count() -> None:
    now = staff.now()
    at = int(time.time() * 1000)
    log = ReferenceLog().write(staff.founding(at=now), at=at)
    log.write(staff.signed(keyed("hanako"), "hanako", "taro", at=now), at=at)
    act = act_of("activate", "hanako", at=now)
    said = {"v": 1, "kind": "purpose", "id": "dm", "name_ja": "案内", "name_en": "News", "marketing": True}
    name, value = staff.line(said)
    records = [Outgoing("reference", name.encode(), value), outgoing(act), replace(outgoing(act), partition=1)]
    with pytest.raises(ValueError, match="alone"):
        PasskeyPrompt(records, by="hanako", key=Passkey("hanako").key, origin=staff.ORIGIN)
    passkey = Passkey("hanako")
    touches = [PasskeyPrompt(some, by="hanako", key=passkey.key, origin=staff.ORIGIN) for some in apart(records)]
    assert len(touches) == 2
    both = reduce(or_, (one.signatory(passkey.touched(one.challenge)) for one in touches))
    signed = both.sign(records)
    (behind,) = signed.behind
    log.write([(name, value), ((behind.key or b"").decode(), behind.value)], at=at)
    assert log.counts("purpose/dm")
    assert signed.records[0].headers == ()
    assert signed.records[1].headers == signed.records[2].headers
    headers = signed.records[1].headers
    found = weighed(log, act, headers, at=at)
    assert isinstance(found, Signer)
    assert (found.vouched, found.number) == (False, 1)
    assert weighed(log, act, headers, at=at + 11 * 60_000) == "too_old"
    other = act_of("suspend", "hanako", at=now)
    assert weighed(log, other, headers, at=at) == "bad_signature"


def weighed(log: ReferenceLog, act: Act, headers: Headers, *, at: int) -> Signer | str:
    record = Record("acts", 0, 0, at, None, encode(act), headers)
    return weigh(record, parsed(act).json, roster=log.fold.roster, origin=staff.ORIGIN)


def test_one_touch_of_a_readmission_then_the_correction_counts() -> None:
    now, at = staff.now(), int(time.time() * 1000)
    log = ReferenceLog().write(staff.founding(at=now), at=at)
    log.write(staff.signed(keyed("hanako"), "hanako", "taro", at=now), at=at)
    act = act_of("readmit", "hanako", at=now)
    said = {"v": 1, "kind": "erasure", "suppression_id": "erase-1", "received_at": now, "recipient_id": "R1"}
    stop = Suppression.model_validate({**said, "state": "corrected", "by": "hanako", "evidence_ref": "form-91"})
    records = [Outgoing("suppressions", b"R1", encode(stop)), outgoing(act)]
    touch = PasskeyPrompt(records, by="hanako", key=Passkey("hanako").key, origin=staff.ORIGIN)
    signatory = touch.signatory(Passkey("hanako").touched(touch.challenge))
    correction, made = signatory.sign(records).records
    for headers, counts in ((correction.headers, True), (made.headers, False)):
        record = Record("suppressions", 0, 0, at, b"R1", encode(stop), headers)
        stand = correctors(record, parsed(stop).json, roster=log.fold.roster, origin=staff.ORIGIN)
        assert stand.managers == ({"hanako"} if counts else set())
    with pytest.raises(UsageError):
        signatory.sign([outgoing(act_of("erase", "hanako", at=staff.now()))])


def test_signings_then_they_end_by_time_by_use_and_by_number() -> None:
    now = [0.0]
    held = Signings(lambda: now[0])

    def begun(by: str = "hanako") -> Signing:
        one = Signing(by, [], SaidBefore("approve"), lambda _: "/", "/", staff.ORIGIN, until=now[0] + SECONDS)
        held.put(one)
        return one

    mine = [begun() for _ in range(MAX_OF_ONE + 1)]
    other = begun("taro")
    assert [held.get(one.name, "hanako") is one for one in mine] == [False, *[True] * MAX_OF_ONE]
    assert held.get(mine[-1].name, "taro") is None
    assert [held.close(mine[-1]), held.close(mine[-1])] == [True, False]
    now[0] = SECONDS
    assert held.get(other.name, "taro") is None
