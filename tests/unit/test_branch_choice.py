"""A person chooses between two branches under the log's key: the export verifies, and says who chose and why."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from gatekeeper.audit.tlog import merkle
from gatekeeper.audit.tlog.branch_statement import statement_text
from gatekeeper.audit.tlog.notes import parse_vkey
from gatekeeper.audit.tlog.signing import signed
from gatekeeper.audit.verify.export_check import verify
from gatekeeper.audit.verify.findings import Report
from gatekeeper.ground.signing_key import SigningKey
from gatekeeper.ground.times import instant
from schemas.codec import canonical
from tests.support import invented
from tests.support.trails import GROUP, Trail, seal, signing_key

AT = instant(invented.T + 1_000)
TRAIL = Trail(partitions=1, seed=7, acting=0.0).write(4)
FIRST, *RIGHT = TRAIL.steps


def digest(value: bytes) -> str:
    return sha256(value).hexdigest()


def forged() -> bytes:
    """Returns a manifest of a thief beside the second one: it decides the same inputs a second time."""
    mine = [canonical({**orjson.loads(one), "at": AT}) for one in RIGHT[0].records]
    return canonical({**orjson.loads(RIGHT[0].value), "root": merkle.root(mine).hex(), "writer": "thief"})


def choice(signer: SigningKey = TRAIL.log) -> dict[str, Any]:
    """Returns the leaf of a choice that goes back to the first manifest."""
    said = {"v": 1, "origin": GROUP, "partition": 0, "sha256": digest(RIGHT[-1].value), "by": "pm-7"}
    note = signed(statement_text(canonical({**said, "reason": "a stolen key", "at": AT}), None), signer)
    taken = {one["topic"]: one["to"] for one in orjson.loads(FIRST.value)["in"]}
    said = {"v": 1, "kind": "branch", "at": AT, "partition": 0, "after": digest(FIRST.value), "leaf": 0, "taken": taken}
    return {**said, "forks": [digest(forged())], "statement": note}


def checked(folder: Path, chosen: Mapping[str, Any] | None) -> Report:
    """Checks an export of the right branch, whose log sealed the thief's manifest before a person may have chosen."""
    TRAIL.export(folder)
    shutil.rmtree(folder / "log")
    sealed = [FIRST.value, forged(), *([canonical(dict(chosen))] if chosen else []), *(step.value for step in RIGHT)]
    seal(sealed, folder / "log", TRAIL.log, TRAIL.witness, at=1)
    TRAIL.put(folder, [replace(step, index=sealed.index(step.value)) for step in TRAIL.steps])
    return verify(folder, witness=parse_vkey(TRAIL.witness.verifier))


def test_a_choice_in_the_log_then_the_export_verifies_and_says_who_why_and_what(tmp_path: Path) -> None:
    found = checked(tmp_path / "export", choice())
    assert (found.exit_code, found.findings) == (0, [])
    told = {"leaf": 2, "partition": 0, "at": AT, "count": 1, "by": "pm-7", "reason": "a stolen key"}
    assert ("branched", told) in found.says


def test_no_choice_or_one_under_another_key_then_it_is_found(tmp_path: Path) -> None:
    none, strange = checked(tmp_path / "none", None), checked(tmp_path / "strange", choice(signing_key(GROUP, seed=99)))
    assert [one.code for one in none.findings] == ["log_chain", "missing_manifest"]
    assert [one.code for one in strange.findings] == ["statement"]
