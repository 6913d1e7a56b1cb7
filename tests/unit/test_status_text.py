"""Status, `/readyz` and `check` name what is read wide, unlisted, or not signed."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from gatekeeper.ground.texts import text
from streams.worker.app import create_app
from tests.support import invented, staff
from tests.support.facts import fact
from tests.support.status_lines import status_shown
from tests.support.world import World


def readiness(*facts: invented.Event) -> dict[str, Any]:
    """Returns what `/readyz` says of a worker that knows these facts."""

    async def read() -> dict[str, Any]:
        app = create_app(World("127.0.0.1:1", "x.").settings)
        app.scratch.rmdir()
        for offset, (topic, value) in enumerate((*invented.REFERENCE, *facts)):
            app.gate.context.followers.store.apply(fact(topic, 0, offset, None, orjson.dumps(value)))
        report: dict[str, Any] = app.gate.readiness()
        return report

    return asyncio.run(read())


def test_refusals_that_name_an_unknown_company_then_it_is_named_with_its_people(
    capsys: pytest.CaptureFixture[str],
) -> None:
    no = {"state": "Withdrawn", "controller_id": "C-TYPO", "purpose": "mkt.dm.own", "notice_id": None}
    nos = [invented.consent(record_id=f"R-{n}", recipient_id=f"P-{n}", **no) for n in range(3)]
    answer = readiness(*nos, invented.consent(state="Withdrawn", notice_id=None))
    place = f"consents/0/{len(invented.REFERENCE)}"
    assert answer["read_wide"] == [{"name": "controller/C-TYPO", "people": 3, "record": place}]
    said = text("cli.status_read_wide", name="controller/C-TYPO", people=3, record=place)
    assert said in status_shown(answer, capsys)


def test_records_that_lack_a_signature_then_each_is_named_with_what_it_needs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    new = {"v": 1, "kind": "register", "id": "mail-preference", "file_date": "2026-11-01"}
    at = staff.instant(fact("reference", 0, 0, None, b"{}").timestamp)
    people = [orjson.loads(value) for _, value in staff.founding(at=at, origin="x.gk")]
    by_nobody = [orjson.loads(value) for _, value in staff.signed(new, "kenji", at=at, origin="x.gk")]
    answer = readiness(*(("reference", said) for said in (*people, *by_nobody)))
    found = answer["signatures"]
    assert found["acts"] == "signed"
    assert [(one["record"], one["signed_by"]) for one in found["waiting"]] == [("register/mail-preference", [])]
    assert [(one["record"], one["code"]) for one in found["refused"]] == [("register/mail-preference", "role")]
    assert "controller/C1" in found["unsigned"]
    assert text("act.refused_role") in status_shown(answer, capsys)
