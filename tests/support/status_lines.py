"""The lines of `gatekeeper status` about one worker, where nothing else is to be told."""

from __future__ import annotations

from typing import Any

import pytest

from gatekeeper.cli import status_text
from gatekeeper.management.fleet import Fleet
from tests.support import invented

QUIET_FLEET = Fleet(invented.T, "Stable", (), (), None, 15_000)
QUIET_STATE: dict[str, Any] = {
    "mode": "live",
    "partitions": [],
    "partitions_added": [],
    "lag": 0,
    "workers": [],
    "seal": None,
    "asked": 0,
    "verdicts": {},
    "transactions": [],
    "unreadable_facts": [],
    "withholding": [],
    "purposes": {"registered": 1, "unread": []},
    "misplaced": 0,
    "suspended": [],
    "signatures": {"acts": "signed", "founder": "0f", "waiting": [], "unsigned": [], "lone": [], "refused": []},
}


def status_shown(answer: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> str:
    """Returns what `gatekeeper status` prints where a worker answers so at `/readyz`."""
    worker = {"address": "http://x/readyz", "ready": False, "answer": answer}
    signatures = answer.get("signatures") or QUIET_STATE["signatures"]
    withholding = answer.get("withholding", [])
    told = {"worker": worker, "signatures": signatures, "withholding": withholding}
    status_text.show({**QUIET_STATE, **told}, QUIET_FLEET)
    return capsys.readouterr().out
