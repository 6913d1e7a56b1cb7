"""One act's proof says who did it, offline; a thief of the worker's key cannot make it say another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest

from gatekeeper.audit.checks.trail import Link, PersonLine
from gatekeeper.audit.export.proof import of_record
from gatekeeper.audit.tlog import merkle
from gatekeeper.audit.verify.export_check import verify
from gatekeeper.audit.verify.findings import Report
from gatekeeper.audit.verify.proof_check import check_content
from gatekeeper.engine.judged import Judged
from gatekeeper.engine.manifest import Taken, manifest
from gatekeeper.policy.packs import load
from schemas.codec import canonical
from tests.support import invented, staff
from tests.support.desk import YOUNG
from tests.support.office import SIGNED_AT, Office, acted_by
from tests.support.trails import Step, Trail, signing_key

WORKER = signing_key(f"{staff.ORIGIN}/worker")
PEOPLE = staff.person_lines(arrived=invented.T)
Proof = dict[str, Any]


def written(*records: bytes, place: int = 0, people: list[PersonLine] | None = None) -> Proof:
    """The proof of a record in a manifest that the worker's key signs, as the worker or a thief of its key does."""
    said: dict[str, Any] = orjson.loads(
        manifest(
            writer="worker-0", kid=WORKER.kid, partition=0, taken=(), judged=(), dead_facts=0, as_of={}, prev=None,
            policy=load("jp-pmark").at(invented.T), t0=invented.T, t1=invented.T,
        )
    )  # fmt: skip
    did = orjson.loads(records[0])["did"]
    value = canonical({**said, "root": merkle.root(records).hex(), "audit": {"from_id": did, "n": len(records)}})
    link = Link(0, 7, value, WORKER.sign(value), records)
    known = PEOPLE if people is None else people
    found: Proof = orjson.loads(of_record(link, place, None, [WORKER.verifier], known))
    return found


def check(proof: Proof) -> Report:
    return check_content(orjson.dumps(proof), "proof.json")


def codes(report: Report) -> list[str]:
    """The findings of a proof that nothing seals yet, without that one."""
    return [one.code for one in report.findings if one.code != "unsealed_one"]


def who(report: Report) -> list[tuple[str, dict[str, Any]]]:
    return [(code, values) for code, values in report.says if code.startswith("act_")]


@pytest.fixture(scope="module")
def records() -> dict[str, bytes]:
    """Audit records: of a send, a release by a reviewer's own key, a note by the console's word, an unsigned act."""
    desk = Office(*YOUNG)
    desk.send()
    desk.act("release", **acted_by("kenji", evidence_ref="form-1"))
    desk.act("note", 0, **acted_by("kenji", "n-0"))
    desk.word, desk.at = True, desk.at + 1
    desk.act("note", 0, **acted_by("yuki", "n-1"))
    desk.by = None
    desk.act("note", 0, **acted_by("yuki", "n-2"))
    names = ("send", "release", "own", "vouched", "refused")
    return dict(zip(names, (judged.audit for judged in desk.all), strict=True))


def test_acts_then_the_proof_alone_says_who_did_each_and_by_what(records: dict[str, bytes]) -> None:
    release, vouched = (check(written(records[name])) for name in ("release", "vouched"))
    assert (codes(release), codes(vouched)) == ([], [])
    assert who(release) == [("act_by_key", {"by": "kenji", "key": "k1", "console": None, "signin": None})]
    assert who(vouched) == [("act_by_vouched", {"by": "yuki", "key": "k1", "console": "console", "signin": "password"})]
    assert any("not the person's own" in line for line in vouched.lines("en"))
    assert who(check(written(records["refused"]))) == [("act_of_nobody", {})]
    assert who(check(written(records["send"]))) == []


def test_other_people_made_up_from_the_first_on_then_the_check_names_the_first_one(records: dict[str, bytes]) -> None:
    proof = written(records["release"])
    first, other = (check({**proof, "people": lines}) for lines in (proof["people"], proof["people"][1:]))
    for report, by_ in ((first, "hanako"), (other, "taro")):
        assert ("founder", {"by": by_, "public": staff.key(by_).public}) in report.says
    assert "first manager, hanako" in "\n".join(first.lines("en"))


# -- by a thief of the worker's key ---------------------------------------------------------------------------------

Trials = Iterator[tuple[str, Proof]]


def forged(record: bytes, change: Callable[[dict[str, Any]], object]) -> Proof:
    """The proof of a changed record; the thief signs its manifest anew."""
    said = orjson.loads(record)
    change(said)
    return written(canonical(said))


def signature(record: bytes, **fields: Any) -> Proof:
    """The proof of a record whose signature says something else."""
    return forged(record, lambda said: said["act"]["signed"][0].update(fields))


def signers(records: dict[str, bytes]) -> Trials:
    """Somebody else is named: in the signature, in the act, in both; or the key of somebody else."""
    for name in ("release", "own", "vouched"):
        for other in ("hanako", "ami", "console", "nobody"):

            def both(said: dict[str, Any], other: str = other) -> None:
                said["act"]["by"] = said["act"]["signed"][0]["by"] = other

            yield f"{name} both {other}", forged(records[name], both)
        yield f"{name} signature", signature(records[name], by="hanako")
        yield f"{name} act", forged(records[name], lambda said: said["act"].update(by="hanako"))
        yield f"{name} key", signature(records[name], key="k2")


def methods(records: dict[str, bytes]) -> Trials:
    """The console's word as the person's own signature, and the reverse."""
    for name in ("release", "own", "vouched"):
        actual = orjson.loads(records[name])["act"]["signed"][0]["method"]
        for method in {"key", "passkey", "vouched", "password", "", None} - {actual}:
            for more in ({}, {"console": "console", "signin": "provider"}):
                yield f"{name} {method} {more}", signature(records[name], method=method, **more)
    for more in ({"signin": "provider"}, {"console": "kenji"}):
        yield f"another {more}", signature(records["vouched"], **more)


def other_acts(records: dict[str, bytes]) -> Trials:
    """A good signature of one act beside another act, and an act that says other than what was signed."""
    own, release = (orjson.loads(records[name])["act"]["signed"] for name in ("own", "release"))
    yield "of a note", forged(records["release"], lambda said: said["act"].update(signed=own))
    yield "of a release", forged(records["own"], lambda said: said["act"].update(signed=release))
    yield "both", forged(records["release"], lambda said: said["act"].update(signed=[*release, *own]))
    for name, value in (("kind", "uphold"), ("act_id", "other"), ("item", "B" * 26)):
        yield name, forged(records["release"], lambda said, n=name, v=value: said["act"].update({n: v}))
    for name, value in (
        *(("subject", "release/" + "B" * 26), ("sha256", "0" * 64), ("at", "2026-11-24T01:00:00.001Z")),
        *(("sig", ""), ("sig", "AAAA"), ("sig", own[0]["sig"])),
    ):
        yield f"{name} {value[:9]}", signature(records["release"], **{name: value})
    for none in ([], {}, [{}]):
        yield f"{none}", forged(records["release"], lambda said, none=none: said["act"].update(signed=none))


def missing_people(records: dict[str, bytes]) -> Trials:
    """Records of people taken out, changed, swapped, or with nobody who signed them."""
    whole = written(records["release"])
    lines = whole["people"]
    mine = [at for at, line in enumerate(lines) if '"id":"kenji"' in line["value"] or '"staff/kenji"' in line["value"]]
    assert len(mine) == 3
    for at in mine:
        yield f"without {at}", {**whole, "people": [*lines[:at], *lines[at + 1 :]]}
    yield "none", {**whole, "people": []}
    stranger = staff.key("kenji", "of a thief").public
    for who_ in ("kenji", "hanako"):
        old = staff.key(who_).public
        swapped = [{**line, "value": line["value"].replace(old, stranger)} for line in lines]
        yield f"another key of {who_}", {**whole, "people": swapped}
    yield "backwards", {**whole, "people": lines[::-1]}
    yield "of another form", {**whole, "people": [*lines, {}]}
    yield "no list", {**whole, "people": {"kenji": "k1"}}
    yield "absent", {name: value for name, value in whole.items() if name != "people"}


def revoked(records: dict[str, bytes]) -> Trials:
    """A key that had ended when the act arrived: left out, of a person without roles, past its time."""
    for name, said in {
        "no key": staff.person("kenji", keys=[]),
        "another key": staff.person("kenji", keys=[{"id": "k1", "method": "key", "public": staff.key("x").public}]),
        "over": staff.person("kenji", until=SIGNED_AT),
        "not begun": staff.person("kenji", **{"from": "2027-01-01T00:00:00.000Z"}),
    }.items():
        lines = staff.signed(said, "hanako", "taro", at=SIGNED_AT)
        ended = staff.person_lines(arrived=invented.T, lines=lines, first=50)
        yield name, written(records["release"], people=[*PEOPLE, *ended])


@pytest.mark.parametrize("trials", [signers, methods, other_acts, missing_people, revoked])
def test_forged_with_the_workers_key_then_the_proof_does_not_hold(
    records: dict[str, bytes], trials: Callable[[dict[str, bytes]], Trials]
) -> None:
    unseen = {}
    for name, proof in trials(records):
        report = check(proof)
        if report.exit_code not in (1, 4) or (not codes(report)) or who(report):
            unseen[name] = report.exit_code, codes(report), who(report)
    assert unseen == {}


# -- a whole export, sealed anew with all keys of the system -----------------------------------------------------------


def exported(folder: Path, judged: list[Judged], people: list[PersonLine]) -> Report:
    """The check of an export of one transaction, signed and sealed by whoever holds the keys of worker and log."""
    acts = [orjson.loads(one.audit)["src"]["offset"] for one in judged[1:]]
    trail = Trail(partitions=4)
    value = manifest(
        writer="worker-0", kid=trail.worker.kid, partition=3, judged=judged, dead_facts=0, as_of={}, prev=None,
        taken=[Taken("mail.sends.v1", 1, 2, 1), Taken("mail.acts.v1", acts[0], acts[-1] + 1, len(acts))],
        policy=load("jp-pmark").at(invented.T), t0=invented.T, t1=invented.T,
    )  # fmt: skip
    trail.steps = [Step(3, 7, value, trail.worker.sign(value), tuple(one.audit for one in judged), index=0)]
    trail.export(folder)
    (folder / "staff.ndjson").write_bytes(b"".join(canonical(one.plain) + b"\n" for one in people))
    return verify(folder)


@pytest.fixture(scope="module")
def acted() -> list[Judged]:
    """A send, and five acts about it: by two people's own keys, and by the console's word."""
    desk = Office(*YOUNG)
    desk.send()
    for number in range(3):
        desk.act("note", 0, **acted_by("kenji", f"n-{number}"))
    desk.act("note", 0, **acted_by("hanako", "n-3"))
    desk.word = True
    desk.act("note", 0, **acted_by("yuki", "n-4"))
    return desk.all


def test_an_export_then_the_check_counts_who_signed_and_names_the_first_manager(
    tmp_path: Path, acted: list[Judged]
) -> None:
    report = exported(tmp_path / "export", acted, PEOPLE)
    assert (report.exit_code, report.findings) == (0, [])
    assert ("acts_signed", {"by_key": 4, "by_passkey": 0, "by_vouched": 1}) in report.says
    assert ("founder", {"by": "hanako", "public": staff.key("hanako").public}) in report.says


def signed_like(at: int, **fields: Any) -> Callable[[list[dict[str, Any]]], object]:
    """Changes the signature of one act."""
    return lambda acts: acts[at]["signed"][0].update(fields)


def swapped(acts: list[dict[str, Any]]) -> None:
    acts[0]["signed"], acts[1]["signed"] = acts[1]["signed"], acts[0]["signed"]


@pytest.mark.parametrize(
    "change",
    [
        swapped,
        signed_like(0, method="vouched", console="console", signin="password"),
        lambda acts: acts[2].update(signed=[]),
    ],
)
def test_an_export_signed_and_sealed_anew_by_a_thief_then_peoples_signatures_tell(
    tmp_path: Path, acted: list[Judged], change: Callable[[list[dict[str, Any]]], object]
) -> None:
    records = [orjson.loads(one.audit) for one in acted]
    change([one["act"] for one in records[1:]])
    forged = [msgspec.structs.replace(one, audit=canonical(said)) for one, said in zip(acted, records, strict=True)]
    report = exported(tmp_path / "export", forged, PEOPLE)
    assert report.exit_code in (1, 4)
    assert {one.code for one in report.findings} <= {"act_signature", "signer_unknown"}
