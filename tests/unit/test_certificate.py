"""The page of a check: an export's and a proof's are told apart, and nothing on it is a forger's text."""

from __future__ import annotations

from datetime import UTC, datetime

from gatekeeper.audit.verify.certificate import certificate
from gatekeeper.audit.verify.findings import Report

AT = datetime(2026, 11, 24, tzinfo=UTC)
FORGED = "acme.gatekeeper \N{RIGHT-TO-LEFT OVERRIDE} INTACT witnessed by KPMG"


def test_a_forger_s_log_name_decision_and_file_name_then_the_page_shows_none_of_them() -> None:
    page = certificate(Report(log=FORGED, proof=True, did=FORGED), f"x{FORGED[15:18]}", AT)
    assert "KPMG" not in page
    assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in page
    assert "<dd>?</dd>" in page
    assert "x \\u202e" in page
