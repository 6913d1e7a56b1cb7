"""`gatekeeper import answers`: each card the consent of who was asked, wrong codes set aside with the cause."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from gatekeeper.confirmation import code as codes
from gatekeeper.deciding.redacted import redacted_fields
from gatekeeper.ledger import entries
from tests.support import invented

pytestmark = pytest.mark.main

YES, NO, SPENT = (codes.new(bytes([number]) * codes.ENTROPY_BYTES) for number in (1, 2, 3))
ASKED = {"controller_id": "C1", "purpose": "mkt.dm.own", "notice_id": "OK", "at": "2026-11-01T10:00:00+09:00"}


def remember(system, request_id: str, person: str, code: str) -> None:
    """Puts what the worker remembers of an ask into the ledger."""
    _, value = invented.ask(request_id=request_id, recipient_id=person, **ASKED)
    said, _ = redacted_fields("confirmations", value)
    entry = entries.ask(person, request_id, said, answer_code=code, contact_point_id="cp-1")
    system.put("ledger", entry.value, key=entry.key)


def cards(tmp_path: Path) -> str:
    shown = {name: codes.shown(code) for name, code in (("yes", YES), ("no", NO), ("spent", SPENT))}
    rows = [
        "回答番号,回答,回答日,証跡,顧客番号",
        f"{shown['yes'].lower()},はい,令和8年11月5日,scan-1,",
        f"{shown['no']},no,,,P-2",
        f"{shown['yes']},はい,2026-11-06,scan-2,",
        f"{shown['spent']},yes,2026-11-06,scan-3,",
        f"{shown['no'][:-1]}{'0' if NO[-1] != '0' else '1'},no,,,",
        f"{shown['no']},no,,,P-1",
        f"{codes.shown(codes.new(bytes(7)))},yes,2026-11-06,scan-4,",
    ]
    file = tmp_path / "cards.csv"
    file.write_text("\n".join(rows), "cp932")
    return str(file)


def test_cards_good_and_bad_then_consents_of_those_asked_and_each_wrong_code_by_line(
    run, system, tmp_path: Path
) -> None:
    remember(system, "Q-1", "P-1", YES)
    remember(system, "Q-2", "P-2", NO)
    remember(system, "Q-3", "P-3", SPENT)
    _, before = invented.consent(recipient_id="P-3", record_id="R-3", answers="Q-3")
    system.put("consents", json.dumps(before).encode(), key=b"P-3")
    system.put("consents", b'{"answers"', key=b"P-4")

    checked = run("import", "answers", cards(tmp_path), "--dry-run", "--json")
    assert (checked.code, checked.json["right"], checked.json["published"]) == (1, 2, 0)
    done = run("import", "answers", cards(tmp_path), "--json")
    assert (done.code, done.json["published"], done.json["rejected"]) == (1, 2, 5)
    found = {
        record.key: json.loads(record.value) for record in system.records("consents")[-4:] if b'"Q-' in record.value
    }
    assert {name: found[b"P-1"][name] for name in ("state", "answers", "event_time", "evidence_ref", "method")} == {
        "state": "Given",
        "answers": "Q-1",
        "event_time": "2026-11-05",
        "evidence_ref": "scan-1",
        "method": "postcard",
    }
    assert (found[b"P-2"]["state"], found[b"P-2"]["answers"]) == ("Refused", "Q-2")
    rows = csv.DictReader(Path(done.json["rejects"]).read_text("utf-8-sig").splitlines())
    assert [(row["line"], row["column"], row["cause"]) for row in rows] == [
        ("4", "回答番号", "answer_code_spent"),
        ("5", "回答番号", "answer_code_spent"),
        ("6", "回答番号", "answer_code_wrong"),
        ("7", "顧客番号", "answer_code_of_another"),
        ("8", "回答番号", "answer_code_unknown"),
    ]

    again = run("import", "answers", cards(tmp_path), "--json")
    assert again.json["published"] == 0, "a second reading of the same cards says nothing new"
