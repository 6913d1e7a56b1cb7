from base64 import b64decode, b64encode
from hashlib import sha256

import orjson
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from gatekeeper.ground.errors import UsageError
from gatekeeper.staff import person_keys
from gatekeeper.staff.message import act_subject, digest, fingerprint, message
from gatekeeper.staff.signature_check import challenge, proven
from gatekeeper.staff.signed_acts import Signer, weigh
from schemas.codec import Unreadable, canonical, decode, encode
from schemas.events import ItemAct, PairedAct
from schemas.record import Record
from tests.support import staff
from tests.support.authenticator import Passkey, base64url
from tests.support.reference_log import T0, ReferenceLog

AT = staff.instant(T0)
CONTROLLER = {"v": 1, "kind": "controller", "id": "MIDORI", "name": "みどり小売"}
NOTICE = {"v": 1, "kind": "notice", "id": "N1", "controller_id": "MIDORI", "purposes": ["dm"], "complete": True}
PURPOSE = {"v": 1, "kind": "purpose", "id": "dm", "name_ja": "案内", "name_en": "News", "marketing": True}


@pytest.fixture
def log():
    return ReferenceLog().write(staff.founding(at=AT))


def signed(said, *by, **more):
    return staff.signed(said, *by, **{"at": AT, **more})


@pytest.mark.parametrize(
    ("lines", "at", "code"),
    [
        (lambda: signed(NOTICE, "kenji"), T0, "role"),
        (lambda: signed(NOTICE, "console"), T0, "bad_signature"),
        (lambda: signed(NOTICE, "taro", origin="test.gatekeeper"), T0, "origin"),
        (lambda: signed(NOTICE, "taro"), T0 + 10 * 60_000 + 1, "too_old"),
        (lambda: [staff.line(NOTICE), *signed({**NOTICE, "complete": False}, "taro")[1:]], T0, "unknown_record"),
    ],
)
def test_a_signature_that_is_nobodys_puts_nothing_in_force(log, lines, at, code):
    log.write(lines(), at=at)
    assert not log.counts("notice/N1")
    assert [one.code for one in log.fold.refused] == [code]


def test_a_copied_record_is_unsigned_and_a_copied_signature_is_refused(log):
    old = signed(NOTICE, "taro")
    log.write(old).write(signed({**NOTICE, "complete": False}, "taro"))
    log.write(old)
    assert [name for name, _ in log.names].count("notice/N1") == 2
    assert [one.code for one in log.fold.refused] == ["seen_before"]
    assert [name for name, *_ in log.fold.waiting] == ["notice/N1"]


def test_a_person_is_one_person_with_two_keys(log):
    second = {"id": "k2", "method": "key", "public": staff.key("hanako", "k2").public}
    log.write(signed(staff.person("hanako", keys=[*staff.person("hanako")["keys"], second]), "hanako", "taro"))
    two = {**PURPOSE, "id": "service.x", "marketing": False, "by": ["hanako", "taro"]}
    name, value = staff.line(two)
    log.write(signed(two, "hanako"))
    more = {"origin": staff.ORIGIN, "at": AT, "id_": "again"}
    log.write([("signature/again", staff.signatures.of_reference(name, value, staff.key("hanako", "k2"), **more))])
    assert log.fold.refused == []
    assert not log.counts("purpose/service.x")


def test_people_need_two_managers_once_there_are_two(log):
    log.write(signed(staff.person("mallory", ["manager"]), "hanako"))
    assert log.fold.roster.member("mallory", T0) is None
    log.write(signed(staff.person("mallory", ["manager"]), "taro")[1:])
    assert log.fold.roster.member("mallory", T0) is not None


def test_a_manager_of_one_controller_signs_for_that_one_alone(log):
    log.write(signed(staff.person("mio", ["manager"], controllers=["MIDORI"]), "hanako", "taro"))
    log.write(signed(CONTROLLER, "mio"))
    log.write(signed({**CONTROLLER, "id": "AOI"}, "mio"))
    log.write(signed({"v": 1, "kind": "register", "id": "R", "file_date": "2026-01-01"}, "mio"))
    assert log.counts("controller/MIDORI")
    assert not log.counts("controller/AOI")
    assert not log.counts("register/R")
    log.write(signed({**NOTICE, "id": "N2", "controller_id": "AOI"}, "hanako"))
    log.write(signed({**NOTICE, "id": "N2", "controller_id": "MIDORI"}, "mio"))
    assert [one.code for one in log.fold.refused] == ["role"] * 3


def test_from_until_and_revocation_count_by_arrival(log):
    later, end = staff.instant(T0 + 60_000), staff.instant(T0 + 120_000)
    log.write(signed(staff.person("mio", ["reviewer"], **{"from": later, "until": end}), "hanako", "taro"))
    log.write(signed(staff.person("kenji", keys=[]), "hanako", "taro", at=staff.instant(T0 + 1_000)), at=T0 + 1_000)
    known = [log.fold.roster.member("mio", T0 + at) is not None for at in (0, 60_000, 119_999, 120_000)]
    assert known == [False, True, True, False]
    assert log.fold.roster.member("kenji", T0).keys
    assert not log.fold.roster.member("kenji", T0 + 1_000).keys


# acts


def item_act(by="kenji", kind="uphold", **more):
    said = {"v": 1, "kind": kind, "act_id": "a1", "at": AT, "by": by, "recipient_id": "R1", "campaign_id": "C1"}
    said |= {"channel": "postal", "decision_id": "A" * 26, "review": {"partition": 0, "offset": 1}}
    return ItemAct.model_validate({**said, **more}, strict=False)


def weighed(log, act, *headers, arrived=T0, value=None):
    bytes_ = encode(act) if value is None else value
    record = Record("acts", 0, 0, arrived, None, bytes_, headers)
    return weigh(record, orjson.loads(bytes_), roster=log.fold.roster, origin=staff.ORIGIN)


@pytest.mark.parametrize(
    ("act", "headers", "arrived", "code"),
    [
        (item_act(), lambda act: [], T0, "unsigned"),
        (item_act(), lambda act: [staff.header(act, "yuki", at=AT)], T0, "unsigned"),
        (item_act("mallory"), lambda act: [staff.header(act, at=AT)], T0, "not_staff"),
        (item_act("ami"), lambda act: [staff.header(act, at=AT)], T0, "role"),
        (item_act(), lambda act: [staff.header(act, at=AT, origin="test.gatekeeper")], T0, "origin"),
        (item_act(), lambda act: [staff.header(act, at=AT)], T0 + 600_001, "too_old"),
        (item_act(), lambda act: [staff.header(item_act(kind="ask"), at=AT)], T0, "bad_signature"),
        (item_act("yuki", "approve"), lambda act: [staff.vouched(act, at=AT)], T0, "vouched_not_enough"),
    ],
)
def test_an_act_of_nobody_is_refused(log, act, headers, arrived, code):
    assert weighed(log, act, *headers(act), arrived=arrived) == code


def test_no_person_signs_with_the_key_of_another(log):
    act = item_act("yuki")
    forged = staff.signatures.of_act(act, staff.key("kenji"), origin=staff.ORIGIN, at=AT, blind="0" * 32)
    said = orjson.loads(forged[1]) | {"by": "yuki"}
    assert weighed(log, act, (forged[0], canonical(said))) == "bad_signature"


def test_the_signed_text_of_an_act_about_a_person_does_not_hold_the_person():
    act = PairedAct(v=1, kind="erase", act_id="a1", at=AT, by="yuki", recipient_id="R000001")
    assert act_subject(act.model_dump()) == "erase/person"
    _, value = staff.header(act, at=AT)
    assert orjson.loads(value)["sha256"] != digest(encode(act))


def test_any_bit_of_an_act_or_its_signature_flipped_then_it_is_the_act_of_nobody(log):
    act = item_act()
    value, (name, header) = encode(act), staff.header(act, at=AT)
    last = header.index(b'"sig":"') + len(b'"sig":"') + 85  # of this character base64 keeps two bits
    for place in range(0, 8 * len(value), 5):
        changed = flipped(value, place)
        try:
            decode("acts", None, changed)
        except Unreadable:
            continue
        assert not isinstance(weighed(log, act, (name, header), value=changed), Signer), place
    for place in range(0, 8 * len(header), 5):
        if place // 8 != last:
            assert not isinstance(weighed(log, act, (name, flipped(header, place))), Signer), place


def flipped(content, place):
    found = bytearray(content)
    found[place // 8] ^= 1 << place % 8
    return bytes(found)


# passkeys

PASSKEY = Passkey("hanako")
MESSAGES = [f"text {number}".encode() for number in range(5)]


def test_a_passkey_signs_the_hash_of_the_message():
    said, key = PASSKEY.signed(b"text"), PASSKEY.key
    assert proven(said, key, b"text")
    assert not proven(said, key, b"text!")
    assert not proven({**said, "method": "key"}, key, b"text")
    assert not proven(said, Passkey("taro").key, b"text")


WRONG = [
    {"type": "webauthn.create"},
    {"origin": "https://evil.example"},
    {"client": {"crossOrigin": True}},
    {"client": {"challenge": base64url(challenge(b"other"))}},
    {"flags": 1},
    {"flags": 4},
    {"party": "evil.example"},
]


@pytest.mark.parametrize("wrong", WRONG)
def test_a_passkey_of_another_page_or_without_its_user_proves_nothing(wrong):
    assert not proven(PASSKEY.signed(b"text", **wrong), PASSKEY.key, b"text")
    for said in (PASSKEY.signed_tree(MESSAGES, **wrong), PASSKEY.signed_table([("release", "C1", MESSAGES)], **wrong)):
        assert not proven(said[0], PASSKEY.key, MESSAGES[0])


def touched(log, **more):
    """Acts of one with a passkey, and the header of each."""
    log.write(signed(staff.person("yuki", keys=[Passkey("yuki").key]), "hanako", "taro"))
    acts = [item_act("yuki", "approve", act_id=f"run.{n}", decision_id="ABC"[n] * 26) for n in range(3)]
    return acts, staff.touched(Passkey("yuki"), acts, at=AT, **more)


def test_acts_signed_with_one_touch_then_each_counts_once_and_none_for_another(log):
    acts, headers = touched(log)
    for place, act in enumerate(acts):
        found = [weighed(log, act, header) for header in headers]
        assert [isinstance(one, Signer) for one in found] == [place == n for n in range(3)]
        assert (found[place].kept["table"]["index"], found[place].number) == (place, 3)
        assert found[place].kept["method"] == "passkey"


ROWS = [("release", "C1", MESSAGES[:3]), ("approve", None, MESSAGES[3:])]


@pytest.mark.parametrize(
    "changed",
    [
        lambda table: {**table, "row": 1},
        lambda table: {**table, "index": 2},
        lambda table: {**table, "path": table["path"][1:]},
        lambda table: {**table, "rows": table["rows"][:1]},
        lambda table: {**table, "rows": [{**table["rows"][0], "campaign": "C2"}, table["rows"][1]]},
        lambda table: {**table, "rows": [{**table["rows"][0], "count": 4}, table["rows"][1]]},
        lambda table: [1],
    ],
)
def test_another_table_then_the_signature_proves_nothing(changed):
    said = PASSKEY.signed_table(ROWS)[1]
    assert proven(said, PASSKEY.key, MESSAGES[1])
    assert not proven({**said, "table": changed(said["table"])}, PASSKEY.key, MESSAGES[1])


@pytest.mark.parametrize("row", [("release", "C2"), ("uphold", "C1")])
def test_a_signed_table_is_used_for_another_campaign_or_kind_then_the_act_is_refused(log, row):
    acts, headers = touched(log, row=row)
    assert weighed(log, acts[0], headers[0]) == "row_differs"


@pytest.mark.parametrize("form", ["tree", "table"])
def test_a_touch_that_signs_many_then_it_covers_no_record_of_reference(log, form):
    log.write(signed(staff.person("hanako", keys=[staff.person("hanako")["keys"][0], PASSKEY.key]), "hanako", "taro"))
    name, value = staff.line(NOTICE)
    said = {"v": 1, "id": "s1", "by": "hanako", "key": "p1", "at": AT, "origin": staff.ORIGIN, "method": "passkey"}
    said |= {"sha256": digest(value), "kind": "signature", "of": name}
    texts = [message(said, origin=staff.ORIGIN, subject=name), b"another"]
    proofs = PASSKEY.signed_tree(texts) if form == "tree" else PASSKEY.signed_table([("endorse", None, texts)])
    log.write([(name, value), ("signature/s1", canonical({**said, **proofs[0]}))])
    assert proven({**said, **proofs[0]}, PASSKEY.key, texts[0])
    assert not log.counts(name)
    assert [one.code for one in log.fold.refused] == ["not_alone"]


@pytest.mark.parametrize("field", ["sig", "authenticator", "client"])
def test_no_content_of_a_signature_raises(field):
    said, key = PASSKEY.signed(b"text"), PASSKEY.key
    for junk in ("", "!", "AAAA", b64encode(b"[]").decode(), b64encode(b'{"type": 1}').decode(), None, 7):
        assert not proven({**said, field: junk}, key, b"text")


def test_a_key_file_is_never_overwritten_and_never_read_when_open(tmp_path):
    _, path = person_keys.make(tmp_path, "hanako", "laptop")
    with pytest.raises(UsageError, match="laptop"):
        person_keys.make(tmp_path, "hanako", "laptop")
    path.chmod(0o640)
    with pytest.raises(UsageError, match="640"):
        person_keys.read(path)
    with pytest.raises(UsageError):
        person_keys.read(tmp_path / "none.key")


# one key, one person


def respelled(public):
    """The same public key in another spelling of its bytes and of base64."""
    key = load_der_public_key(b64decode(public))
    point = key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    header = bytes.fromhex("3039301306072a8648ce3d020106082a8648ce3d030107032200")
    return b64encode(header + point).decode()


def test_a_key_under_a_second_id_then_that_record_counts_for_nothing(log):
    twin = staff.person("hanako-2", ["manager"], keys=staff.person("hanako")["keys"])
    log.write(signed(twin, "hanako", "taro"))
    assert log.fold.roster.member("hanako-2", T0) is None
    assert [(one.of, one.code) for one in log.fold.refused] == [
        ("staff/hanako-2", "key_taken"),
        *[("staff/hanako-2", "unknown_record")] * 2,
    ]


@pytest.mark.parametrize("change", ["spelling", "credential"])
def test_a_passkey_under_a_second_id_then_no_spelling_of_it_counts(log, change):
    mine, other = Passkey("yuki").key, Passkey("someone").key
    log.write(signed(staff.person("yuki", keys=[mine]), "hanako", "taro"))
    changed = {
        "spelling": {**mine, "public": respelled(mine["public"]), "credential": other["credential"]},
        "credential": {**other, "credential": mine["credential"].rstrip("=") + "=="},
    }[change]
    log.write(signed(staff.person("mio", ["approver"], keys=[changed]), "hanako", "taro", at=AT))
    assert log.fold.roster.member("mio", T0) is None


def test_a_key_that_ended_is_nobody_elses(log):
    log.write(signed(staff.person("kenji", [], keys=[]), "hanako", "taro"))
    log.write(signed(staff.person("mio", ["approver"], keys=staff.person("kenji")["keys"]), "hanako", "taro"))
    assert log.fold.roster.member("mio", T0) is None


def test_a_key_that_nobody_can_load_marks_itself_alone(log):
    junk = {**staff.person("kenji")["keys"][0], "public": "AAAA"}
    log.write(signed(staff.person("mio", ["reviewer"], keys=[junk]), "hanako", "taro"))
    log.write(signed(staff.person("rin", ["reviewer"], keys=[{**junk, "public": "AAAB"}]), "hanako", "taro"))
    log.write(signed(staff.person("ren", ["reviewer"], keys=[junk]), "hanako", "taro"))
    assert [log.fold.roster.member(by, T0) is not None for by in ("mio", "rin", "ren")] == [True, True, False]


# the first person


def test_a_founder_raced_by_somebody_else_then_the_log_has_nobody():
    ours, theirs = staff.founding(at=AT), staff.line(staff.person("mallory", ["manager"]))
    founder = fingerprint(sha256(ours[0][1]).hexdigest())
    log = ReferenceLog(founder=founder).write([staff.line(CONTROLLER), theirs]).write(ours)
    log.write(signed(NOTICE, "mallory")).write(signed(PURPOSE, "hanako", "taro"))
    assert log.names == [("controller/MIDORI", T0)]
    assert (log.fold.roster.began, log.fold.roster.first) == (T0, None)
    assert (log.fold.refused[0].of, log.fold.refused[0].code) == ("staff/mallory", "not_founder")
    act = item_act("mallory")
    assert weighed(log, act, staff.header(act, at=AT)) == "not_staff"


# a ground, which counts by one manager and needs a second one later

GROUND = {"v": 1, "kind": "ground", "id": "recall.x", "by": "hanako", "evidence_ref": "minutes-1", "at": AT}


def test_a_ground_then_it_counts_by_its_manager_and_is_lone_until_a_second_one_signs(log):
    log.write(signed(GROUND, "hanako"))
    assert log.counts("ground/recall.x")
    assert [(one.name, one.signers, one.since) for one in log.fold.lone] == [("ground/recall.x", ("hanako",), T0)]
    log.write(signed(GROUND, "hanako")[1:])
    assert len(log.fold.lone) == 1, "the same manager again is no second one"
    log.write(signed(GROUND, "kenji")[1:])
    assert (len(log.fold.lone), log.fold.refused[-1].code) == (1, "role")
    log.write(signed(GROUND, "taro")[1:])
    assert (log.fold.lone, log.fold.waiting) == ([], [])
    assert [name for name, _ in log.names].count("ground/recall.x") == 1
