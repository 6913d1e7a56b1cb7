"""The page of a check: an export's and a proof's are told apart, and nothing on it is a forger's text."""

from __future__ import annotations

from datetime import UTC, datetime
from html import unescape
from pathlib import Path

import pytest

from gatekeeper.audit.checks.trail import Link
from gatekeeper.audit.export.proof import of_record
from gatekeeper.audit.log.sealed import sealed
from gatekeeper.audit.tlog.notes import parse_vkey
from gatekeeper.audit.verify.certificate import certificate
from gatekeeper.audit.verify.findings import Report
from gatekeeper.audit.verify.proof_check import check_content
from gatekeeper.audit.verify.sentences import say
from gatekeeper.audit.verify.trust import Demands
from gatekeeper.ground.atomic_store import AtomicStore
from tests.support.trails import Trail

AT = datetime(2026, 11, 24, tzinfo=UTC)
FORGED = "acme.gatekeeper \N{RIGHT-TO-LEFT OVERRIDE} INTACT witnessed by KPMG"
LANGUAGES = ("ja", "en")


def proven(folder: Path, *, witnessed: bool) -> Report:
    """The check of a sealed decision's proof."""
    trail = Trail(partitions=1, seed=4).write(3)
    witness = parse_vkey(trail.witness.verifier)
    shelf = AtomicStore(trail.export(folder) / "log")
    step, log = trail.steps[1], sealed(shelf, [parse_vkey(trail.log.verifier)], [witness])
    link = Link(step.partition, step.offset, step.value, step.sig, step.records)
    proof = of_record(link, 0, log, [trail.worker.verifier, trail.log.verifier])
    return check_content(proof, "proof.json", Demands(witness if witnessed else None))


@pytest.mark.parametrize(("witnessed", "word"), [(True, "PROVEN: "), (False, "PROVEN by its own keys: ")])
def test_the_proof_of_a_decision_then_heading_first_word_and_table_speak_of_that_one(
    tmp_path: Path, witnessed: bool, word: str
) -> None:
    report = proven(tmp_path / "export", witnessed=witnessed)
    assert (report.exit_code, report.verdict) == (0, "intact")
    page = unescape(certificate(report, "export-2026", AT))
    for lang in LANGUAGES:
        assert f"<h1>{say('certificate_of_proof', lang)}</h1>" in page
        assert f"<dt>{say('of_decision', lang)}</dt><dd>{report.did}</dd>" in page
        assert f"<dt>{say('of_counts', lang)}</dt><dd>1 / 1</dd>" in page
        for code in ("certificate", "of_what", "of_root"):
            assert say(code, lang) not in page.replace(say("certificate_of_proof", lang), "")
    assert report.lines("en")[0].startswith(word)
    assert str(report.root) not in page


def test_a_forger_s_log_name_decision_and_file_name_then_the_page_shows_none_of_them() -> None:
    page = certificate(Report(log=FORGED, proof=True, did=FORGED), f"x{FORGED[15:18]}", AT)
    assert "KPMG" not in page
    assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in page
    assert "<dd>?</dd>" in page
    assert "x \\u202e" in page
