"""A person chooses between two branches under the log's key: read, sealed, verified, and left out of coverage."""

from __future__ import annotations

import shutil
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
import pytest

from gatekeeper.audit.checks.chain import Chain
from gatekeeper.audit.checks.coverage import covered
from gatekeeper.audit.checks.coverage_report import Covered, report
from gatekeeper.audit.checks.pairing import Input, Placed, Records, Signed
from gatekeeper.audit.checks.sealed_ends import SealedEnds, SealedPlace, SealPosition, sealed_place
from gatekeeper.audit.log.branch_files import Held, held, hold, release, state_choice, statements
from gatekeeper.audit.tlog import merkle
from gatekeeper.audit.tlog.branch_statement import Statement, read_statement, statement_subject, statement_text
from gatekeeper.audit.tlog.notes import open_note, parse_vkey
from gatekeeper.audit.tlog.signing import checkpoint, signed
from gatekeeper.audit.verify.export_check import verify
from gatekeeper.audit.verify.findings import Report
from gatekeeper.ground.atomic_store import AtomicStore
from gatekeeper.ground.errors import GatekeeperError
from gatekeeper.ground.signing_key import SigningKey
from gatekeeper.ground.times import instant
from gatekeeper.staff import signatures
from schemas.codec import canonical
from schemas.topics import logical_name
from tests.support import invented, staff
from tests.support.trails import GROUP, Step, Trail, seal, signing_key

AT = instant(invented.T + 1_000)
TRAIL = Trail(partitions=1, seed=7, acting=0.0).write(4)
FIRST, *RIGHT = TRAIL.steps
LOG = [parse_vkey(TRAIL.log.verifier)]


def digest(value: bytes) -> str:
    return sha256(value).hexdigest()


def forged(records: bool = True) -> Step:
    """Returns a manifest of a thief beside the second one: it decides the same inputs a second time."""
    said = orjson.loads(RIGHT[0].value)
    mine = tuple(canonical({**orjson.loads(one), "at": AT}) for one in RIGHT[0].records) if records else ()
    root = {"root": merkle.root(list(mine)).hex()} if records else {}
    value = canonical({**said, **root, "writer": "thief"})
    return replace(RIGHT[0], value=value, sig=TRAIL.worker.sign(value), records=mine, offset=RIGHT[0].offset + 1)


def choice(by: str | None = None, signer: SigningKey = TRAIL.log, **other: Any) -> str:
    """Returns a statement; `by`: signs with a key of their own. `other`: fields that differ."""
    said = {"v": 1, "origin": GROUP, "partition": 0, "sha256": digest(RIGHT[-1].value), "by": by or "pm-7"}
    bytes_ = canonical({**said, "reason": "a stolen key", "at": AT, **other})
    own, subject = None, statement_subject(0)
    if by is not None:
        own = signatures.of_choice(bytes_, staff.key(by), subject=subject, origin=GROUP, at=AT, id_="s-1")
    return signed(statement_text(bytes_, own), signer)


def leaf(note: str, **other: Any) -> dict[str, Any]:
    """Returns the leaf of a choice that goes back to the first manifest."""
    taken = {one["topic"]: one["to"] for one in orjson.loads(FIRST.value)["in"]}
    said = {"v": 1, "kind": "branch", "at": AT, "partition": 0, "after": digest(FIRST.value), "leaf": 0, "taken": taken}
    return {**said, "forks": [digest(forged().value)], "statement": note, **other}


def leaves(chosen: Mapping[str, Any] | None) -> list[bytes]:
    """Returns a log that sealed the thief's manifest before a person chose, or never chose."""
    middle = [canonical(dict(chosen))] if chosen else []
    return [FIRST.value, forged().value, *middle, *(step.value for step in RIGHT)]


# the statement


@pytest.mark.parametrize("by", [None, "hanako"])
def test_a_statement_then_it_says_who_chose_and_why(by: str | None) -> None:
    found = read_statement(choice(by), LOG, origin=GROUP)
    assert (found.partition, found.sha256, found.reason) == (0, digest(RIGHT[-1].value), "a stolen key")
    assert (found.by, found.signed is None) == (by or "pm-7", by is None)


TAMPERED: dict[str, Callable[[], str]] = {
    "another key": lambda: choice(signer=signing_key(GROUP, seed=99)),
    "a worker's key": lambda: choice(signer=TRAIL.worker),
    "another log": lambda: choice(origin="trial.gatekeeper"),
    "another log's key": lambda: choice(signer=signing_key("trial.gatekeeper", seed=7), origin="trial.gatekeeper"),
    "another hash": lambda: choice().replace(digest(RIGHT[-1].value), "f" * 64),
    "another partition": lambda: choice().replace('"partition":0', '"partition":1'),
    "another person": lambda: choice().replace("pm-7", "pm-8"),
    "a line more": lambda: signed(f"{open_note(choice()).body}more\n", TRAIL.log),
    "a checkpoint": lambda: signed(checkpoint(GROUP, 3, b"0" * 32), TRAIL.log),
    "no reason": lambda: choice(reason=""),
    "a long reason": lambda: choice(reason="x" * 201),
    "a reason that ends a line": lambda: choice(reason="x\u2028y"),
    "no hash": lambda: choice(sha256="x"),
    "no partition": lambda: choice(partition=-1),
    "a field more": lambda: choice(more=1),
    "no note": lambda: "statement",
}


@pytest.mark.parametrize("note", TAMPERED.values(), ids=TAMPERED)
def test_a_tampered_statement_then_it_is_nothing(note: Callable[[], str], tmp_path: Path) -> None:
    keys = [*LOG, parse_vkey(TRAIL.worker.verifier)]
    with pytest.raises(ValueError, match=r"."):
        read_statement(note(), keys, origin=GROUP)
    files, passed = AtomicStore(tmp_path), list[GatekeeperError]()
    state_choice(files, 0, note())
    assert statements(files, keys, origin=GROUP, passed=passed.append) == {}
    assert [error.key for error in passed] == ["error.statement_foreign"]


def test_a_statement_in_the_file_of_another_partition_then_it_is_nothing(tmp_path: Path) -> None:
    files = AtomicStore(tmp_path)
    state_choice(files, 1, choice())
    assert statements(files, LOG, origin=GROUP) == {}
    state_choice(files, 0, choice())
    assert [*statements(files, LOG, origin=GROUP)] == [0]


def test_a_partition_that_is_held_then_it_is_in_the_folder_until_it_goes_on(tmp_path: Path) -> None:
    files, one = AtomicStore(tmp_path), Held(partition=3, offset=7, sealed="a" * 64, head="b" * 64)
    hold(files, one)
    (tmp_path / "held/x").write_text("{}")
    assert held(files) == [one]
    release(files, 3)
    release(files, 3)
    assert held(files) == []


# the sealed chain


def position(*steps: Step) -> SealPosition:
    """Returns where the chain of these steps ends."""
    taken = {one["topic"]: one["to"] for step in steps for one in orjson.loads(step.value)["in"]}
    return SealPosition(next=steps[-1].offset + 1, head=digest(steps[-1].value), taken=taken)


def ends(*values: bytes) -> SealedEnds:
    found = SealedEnds()
    for value in values:
        found.take(value)
    return found


def test_a_choice_among_the_leaves_then_the_chain_ends_on_the_chosen_branch() -> None:
    chosen = leaves(leaf(choice()))
    found = ends(*chosen)
    assert found.fit({0: position(FIRST, *RIGHT)})
    assert (found.chosen, found.stated, found.forks[0]) == (
        {0: digest(RIGHT[-1].value)},
        {choice()},
        {digest(forged().value)},
    )
    assert ends(*chosen[:3]).fit({0: position(FIRST)})
    assert not ends(*chosen[:3]).fit({0: position(FIRST, forged())})
    assert ends(*chosen[:2]).fit({0: position(FIRST, forged())})


def test_a_sealed_manifest_then_its_place_is_that_of_its_newest_leaf() -> None:
    chosen = leaves(leaf(choice()))
    assert sealed_place(chosen, 0, digest(FIRST.value)) == SealedPlace(0, position(FIRST).taken)
    assert sealed_place(chosen, 0, digest(RIGHT[0].value)) == SealedPlace(3, position(FIRST, RIGHT[0]).taken)
    assert sealed_place(chosen, 1, digest(FIRST.value)) is None


def test_a_choice_then_the_chain_goes_back_and_takes_the_branch_that_it_refused() -> None:
    chain = Chain({0: position(FIRST, forged())}, keys=lambda: [parse_vkey(TRAIL.worker.verifier)])

    def take(step: Step) -> tuple[bool, list[str]]:
        sealed, found = chain.take(0, step.offset, step.value, b64encode(step.sig).decode())
        return sealed, [one.fault for one in found]

    assert take(RIGHT[0])[0] is False
    chain.choose(0, choice(), digest(RIGHT[-1].value), position(FIRST), {digest(forged().value)})
    assert [take(step) for step in RIGHT] == [(True, [])] * 3
    assert (chain.is_stated(choice()), chain.is_stated(choice("hanako"))) == (True, False)
    assert (chain.tell(0, "x"), chain.tell(0, "x")) == (True, False)


# the check of an export


def exported(
    tmp_path: Path, chosen: Mapping[str, Any] | None, *, people: bool = False, with_forged: bool = False
) -> Path:
    """Returns an export of the right branch, beside a log in which a person may have chosen it."""
    folder = TRAIL.export(tmp_path / "export")
    shutil.rmtree(folder / "log")
    sealed = leaves(chosen)
    seal(sealed, folder / "log", TRAIL.log, TRAIL.witness, at=1)
    steps = [FIRST, *([forged()] if with_forged else []), *RIGHT]
    TRAIL.put(folder, [replace(step, index=len(sealed) - 1 - sealed[::-1].index(step.value)) for step in steps])
    if people:
        records = enumerate(staff.founding(at=AT))
        said = [
            {"partition": 0, "offset": n, "timestamp": invented.T, "value": value.decode()} for n, (_, value) in records
        ]
        (folder / "staff.ndjson").write_bytes(b"".join(canonical(one) + b"\n" for one in said))
    return folder


def checked(folder: Path) -> tuple[int, list[str]]:
    found = verify(folder, witness=parse_vkey(TRAIL.witness.verifier))
    return found.exit_code, [one.code for one in found.findings]


def test_a_choice_in_the_log_then_the_export_verifies_and_says_who_why_and_what(tmp_path: Path) -> None:
    found: Report = verify(exported(tmp_path, leaf(choice())), witness=parse_vkey(TRAIL.witness.verifier))
    assert (found.exit_code, found.findings) == (0, [])
    told = {"leaf": 2, "partition": 0, "at": AT, "count": 1, "by": "pm-7", "reason": "a stolen key"}
    assert ("branched", told) in found.says
    assert ("branched_unsigned", {"leaf": 2, "by": "pm-7"}) in found.says
    assert any("a stolen key" in line for line in found.lines("ja"))


def test_a_choice_that_a_person_signed_then_that_is_checked_offline(tmp_path: Path) -> None:
    found = verify(exported(tmp_path, leaf(choice("hanako")), people=True), witness=parse_vkey(TRAIL.witness.verifier))
    assert (found.exit_code, found.findings) == (0, [])
    assert "branched_unsigned" not in [code for code, _ in found.says]


OTHERS: dict[str, tuple[Mapping[str, Any] | None, list[str]]] = {
    "none": (None, ["log_chain", "missing_manifest"]),
    "another key": (leaf(choice(signer=signing_key(GROUP, seed=99))), ["statement"]),
    "another partition": (leaf(choice(partition=1)), ["statement"]),
    "a changed hash": (leaf(TAMPERED["another hash"]()), ["statement"]),
    "a manifest that never came": (leaf(choice(sha256="f" * 64)), ["branch_open"]),
    "another leaf": (leaf(choice(), leaf=1), ["leaf", "log_chain", "missing_manifest"]),
    "a leaf behind it": (leaf(choice(), leaf=5), ["leaf", "log_chain", "missing_manifest"]),
    "another manifest": (leaf(choice(), after="f" * 64), ["leaf", "log_chain", "missing_manifest"]),
    "signed by a stranger": (leaf(choice("nobody")), ["signer_unknown"]),
    "signed for another": (leaf(choice("hanako").replace("hanako", "kenji")), ["statement"]),
}


@pytest.mark.parametrize(("chosen", "found"), OTHERS.values(), ids=OTHERS)
def test_a_choice_that_does_not_hold_then_it_is_found(
    chosen: Mapping[str, Any] | None, found: list[str], tmp_path: Path
) -> None:
    assert checked(exported(tmp_path, chosen, people=True))[1] == found


def test_a_choice_that_goes_back_to_a_manifest_that_was_left_then_it_is_found(tmp_path: Path) -> None:
    folder = exported(tmp_path, leaf(choice()))
    again = leaf(choice(reason="again"), after=digest(forged().value), leaf=1)
    shutil.rmtree(folder / "log")
    seal([*leaves(leaf(choice())), canonical(again)], folder / "log", TRAIL.log, TRAIL.witness, at=1)
    assert checked(folder)[1] == ["leaf"]


def test_a_choice_between_two_first_manifests_then_the_chain_begins_anew(tmp_path: Path) -> None:
    said = {**orjson.loads(FIRST.value), "writer": "thief"}
    first = leaf(choice(), after=None, leaf=None, taken={})
    folder = exported(tmp_path, None)
    for last, found in ((FIRST, []), (RIGHT[0], ["log_chain"])):
        shutil.rmtree(folder / "log")
        sealed = [
            canonical(said),
            canonical(first),
            *(step.value for step in (FIRST, *RIGHT) if step.offset >= last.offset),
        ]
        seal(sealed, folder / "log", TRAIL.log, TRAIL.witness, at=1)
        steps = [step for step in (FIRST, *RIGHT) if step.value in sealed]
        TRAIL.put(folder, [replace(step, index=sealed.index(step.value)) for step in steps])
        assert [code for code in checked(folder)[1] if code != "broken_chain"] == found


def test_a_choice_before_anything_was_sealed_then_the_log_may_begin_late(tmp_path: Path) -> None:
    folder = exported(tmp_path, None)
    shutil.rmtree(folder / "log")
    chosen = canonical(leaf(choice(), after=None, leaf=None, taken={}))
    seal([chosen, *(step.value for step in RIGHT)], folder / "log", TRAIL.log, TRAIL.witness, at=1)
    TRAIL.put(folder, [replace(step, index=number) for number, step in enumerate(RIGHT, 1)])
    assert "log_chain" not in checked(folder)[1]


def test_a_signature_of_another_choice_then_it_does_not_fit(tmp_path: Path) -> None:
    one, other = (open_note(choice("hanako", reason=reason)).body.split("\n") for reason in ("one", "another"))
    mixed = signed("\n".join([*one[:2], other[2], ""]), TRAIL.log)
    assert checked(exported(tmp_path, leaf(mixed), people=True))[1] == ["choice_signature"]


def test_an_export_from_before_the_choice_then_what_was_left_is_found_in_it(tmp_path: Path) -> None:
    code, found = checked(exported(tmp_path, leaf(choice()), with_forged=True))
    assert (code, "forked_manifest" in found) == (1, True)


# coverage


def coverage(beside: set[str], forgery: Step, statement: Statement | None = None) -> Covered:
    """Returns the coverage of a partition in which a thief wrote after the first manifest."""
    steps = [FIRST, forgery, *RIGHT]
    records = [Placed(n, one) for n, one in enumerate(record for step in steps for record in step.records)]
    readable: dict[str, set[int]] = {"sends": set(), "acts": set()}
    for one in (one for step in (FIRST, *RIGHT) for one in orjson.loads(step.value)["in"]):
        gaps = {gap["first"] + n for gap in one["gaps"] for n in range(gap["n"])}
        readable[logical_name(one["topic"])] |= set(range(one["from"], one["to"])) - gaps
    return covered(
        0,
        [Signed(n, step.value, b64encode(step.sig).decode()) for n, step in enumerate(steps)],
        keys=[parse_vkey(TRAIL.worker.verifier)],
        first=0,
        settled=99,
        records=Records(0, records),
        inputs={topic: Input(0, sorted(offsets)) for topic, offsets in readable.items()},
        outputs={},
        head=None,
        beside=beside,
        statement=statement,
    )


@pytest.mark.parametrize("records", [True, False], ids=["records of its own", "another's records"])
def test_a_manifest_beside_the_branch_then_it_is_named_and_nothing_of_it_is_counted(records: bool) -> None:
    thief = forged(records)
    found = coverage({digest(thief.value)}, thief, read_statement(choice(), LOG, origin=GROUP))
    assert [(one.fault, one.offset, one.detail) for one in found.findings] == [
        ("forked_manifest", 1, digest(thief.value))
    ]
    assert (found.manifests, found.records) == (4, sum(len(step.records) for step in TRAIL.steps))
    (branch,) = found.branches
    assert (branch.start, branch.last, branch.manifests, branch.records) == (1, 1, 1, len(thief.records))
    assert (branch.by, branch.reason, branch.at) == ("pm-7", "a stolen key", AT)
    said = orjson.loads(report([found], group=GROUP, at=AT))
    assert said["branches"][0]["sha256"] == digest(thief.value)
    counted = {one.fault for one in coverage(set(), thief).findings}
    assert counted & {"doubled_record", "torn_transaction", "reordered_manifest"}, "without that it is counted"
