"""A caller demands a log's name and a witness of its own; the folder cannot answer for itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner

from gatekeeper.audit.checks.trail import Link
from gatekeeper.audit.export.bundle import bundle
from gatekeeper.audit.export.proof import of_record
from gatekeeper.audit.tlog.notes import Vkey, parse_vkey
from gatekeeper.audit.verify.export_check import verify
from gatekeeper.audit.verify.findings import Report
from gatekeeper.audit.verify.proof_check import check_proof
from gatekeeper.cli import gatekeeper
from gatekeeper.ground.signing_key import COSIGNATURE
from tests.support.trails import GROUP, Trail, alone, signing_key

TRAIL = Trail(partitions=1, seed=41).write(3)
WITNESS = parse_vkey(TRAIL.witness.verifier)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return TRAIL.export(tmp_path_factory.mktemp("whole") / "export")


@pytest.fixture(scope="module")
def proof(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A proof of a decision that is not sealed yet."""
    step = next(step for step in TRAIL.steps if step.records)
    file = tmp_path_factory.mktemp("proof") / "proof.json"
    link = Link(step.partition, step.offset, step.value, step.sig, step.records)
    file.write_bytes(of_record(link, 0, None, [TRAIL.worker.verifier]))
    return file


def codes(report: Report) -> tuple[int, list[str]]:
    return report.exit_code, [one.code for one in report.findings]


def another(group: str) -> Vkey:
    """Returns the key of another system's witness."""
    return parse_vkey(signing_key(f"{group}/witness", kind=COSIGNATURE).verifier)


@pytest.mark.parametrize(
    ("demands", "found"),
    [
        ({"log": GROUP, "witness": WITNESS, "require_witness": True}, (0, [])),
        ({"log": "trial.gatekeeper"}, (4, ["unwanted_log"])),
        ({"require_witness": True}, (4, ["witness_required"])),
        ({"witness": another("trial.gatekeeper")}, (4, ["other_witness"])),
        ({"witness": parse_vkey(signing_key("notary.example", kind=COSIGNATURE).verifier)}, (4, ["not_cosigned"])),
    ],
    ids=["name and witness", "another name", "no witness", "of another", "out"],
)
def test_demands_then_what_does_not_meet_them_cannot_be_verified(
    whole: Path, demands: dict[str, Any], found: tuple[int, list[str]]
) -> None:
    assert codes(verify(whole, **demands)) == found


def test_a_test_log_with_its_own_witness_then_the_name_tells_it_from_the_wanted_one(tmp_path: Path) -> None:
    folder = TRAIL.export(tmp_path / "export", group="trial.gatekeeper")
    assert codes(verify(folder, witness=WITNESS)) == (4, ["other_log"])


def test_a_proof_that_is_not_sealed_then_it_meets_neither_demand(proof: Path) -> None:
    assert codes(check_proof(proof)) == (5, ["unsealed_one"])
    for demands in ({"log": GROUP}, {"require_witness": True}):
        assert codes(check_proof(proof, **demands)) == (4, ["unsealed_one", "no_checkpoint"])  # type: ignore[arg-type]


def test_the_one_file_and_the_command_then_both_take_the_demands(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEKEEPER_LANG", "en")
    script = tmp_path / "verify.py"
    script.write_text(bundle(), "utf-8")
    right = ("--log", GROUP, "--witness", TRAIL.witness.verifier, "--require-witness", "--json")
    wrong = ("--log", "trial.gatekeeper", "--json")
    for arguments, exit_code in ((right, 0), (wrong, 4)):
        bare = alone(tmp_path, str(whole), *arguments, script=script)
        done = CliRunner().invoke(gatekeeper, ["audit", "verify", str(whole), *arguments])
        assert (bare.returncode, done.exit_code) == (exit_code, exit_code)
        assert orjson.loads(bare.stdout) == orjson.loads(done.stdout)
