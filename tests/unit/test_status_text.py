"""Status, `/readyz`, `check` and pages name what is read wide, provisional, unlisted, or made with a missing key."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from gatekeeper.audit.log.branch_files import Held, hold
from gatekeeper.audit.log.seal_status import SealStatus
from gatekeeper.cli import status_text
from gatekeeper.cli.judged_lines import CampaignJudge
from gatekeeper.console.pages.reasons import citing
from gatekeeper.engine.evaluation import Moment
from gatekeeper.engine.evaluator import Evaluator
from gatekeeper.ground.atomic_store import AtomicStore
from gatekeeper.ground.texts import text
from gatekeeper.ground.times import instant
from gatekeeper.ground.words import Words
from gatekeeper.knowledge.store import FactStore
from gatekeeper.ledger.state import LedgerState
from gatekeeper.policy.packs import load
from gatekeeper.policy.reasons import CATALOGUE
from streams.worker.app import create_app
from tests.support import invented, policies, staff
from tests.support.facts import fact
from tests.support.status_lines import QUIET_FLEET, QUIET_STATE, status_shown
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
    assert text("cli.status_read_wide", name="controller/C-TYPO", people=3, record=place) in status_shown(
        answer, capsys
    )


def test_warnings_that_no_rule_reads_then_they_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    stops = [invented.suppression(kind="court_order", suppression_id=f"X-{n}", recipient_id=f"P-{n}") for n in range(2)]
    answer = readiness(*stops, invented.batch(id="B-9", flags=["do_not_mail"]))
    place = f"suppressions/0/{len(invented.REFERENCE)}"
    assert answer["read_wide"] == [{"name": "suppression/court_order", "people": 2, "record": place}]
    assert answer["unread_flags"] == ["B-9"]
    shown = status_shown(answer, capsys)
    assert text("cli.status_unread_kind", code="court_order", people=2, record=place) in shown
    assert text("cli.status_unread_flags", count=1, shown="B-9") in shown


def test_stops_taken_away_then_they_are_counted_by_who_signed(capsys: pytest.CaptureFixture[str]) -> None:
    store, at = FactStore(staff.ORIGIN), instant(invented.T)
    for offset, (name, value) in enumerate(staff.founding(at=at)):
        store.apply(fact("reference", 0, offset, name.encode(), value))
    for offset, by in enumerate(("hanako", "hanako", "taro", None)):
        stop = invented.suppression(state="corrected", suppression_id=f"X-{offset}", received_at=at, by=by or "taro")[1]
        headers = (staff.correction(orjson.dumps(stop), by, at=at),) if by else ()
        store.apply(replace(fact("suppressions", 0, offset, b"P-1", orjson.dumps(stop)), headers=headers))
    assert store.corrections == {"hanako": 2, "taro": 1}
    said = status_shown({**readiness(), "corrections": store.corrections}, capsys)
    assert text("cli.status_corrections", shown="hanako 2, taro 1") in said


def test_people_who_said_no_without_an_address_then_they_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    said = {"state": "Withdrawn", "notice_id": None}
    nos = [invented.consent(record_id=f"R-{n}", recipient_id=f"P-{n}", **said) for n in range(3)]
    answer = readiness(invented.source(recipient_id="P-1"), *nos, invented.source(recipient_id="P-2"))
    assert answer["nos_without_token"] == 1
    assert text("cli.status_nos_without_token", people="1") in status_shown(answer, capsys)


def test_rows_of_stops_then_those_that_bind_widely_nobody_or_as_before_are_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    token = invented.token("cp-1")
    rows = [
        ("suppressions", {**invented.suppression(suppression_id=f"X-{n}")[1], "recipient_id": None, **row})
        for n, row in enumerate(
            (
                {"token": token},
                {"token": token, "row": "wide", "lacks": "name_short"},
                {"row": "rejected", "lacks": "place_unknown"},
                {"token": token, "row": "certain"},
            )
        )
    ]
    answer = readiness(invented.source(recipient_id="P-2"), *((topic, invented.bare(value)) for topic, value in rows))
    assert answer["stop_rows"] == {"before": 1, "rejected": 1, "wide": 1, "certain": 1}
    said = status_shown({**answer, "people_of_another": 3}, capsys)
    told = [text(f"cli.status_stop_rows_{row}", count="1") for row in ("before", "rejected", "wide")]
    assert all(sentence in said for sentence in (*told, text("cli.status_people_of_another", people="3")))


def test_a_provisional_policy_then_the_reminder_names_it_and_its_day(capsys: pytest.CaptureFixture[str]) -> None:
    said = status_shown({"policy_provisional": {"jp-pmark@2": "2028-07-16"}}, capsys)
    assert text("cli.status_policy_provisional", policy="jp-pmark@2", since="2028-07-16") in said


def test_policy_of_other_rules_then_reminders_name_what_it_lacks_and_what_is_carried(
    capsys: pytest.CaptureFixture[str],
) -> None:
    content = policies.text(7, ("[clauses]", '[clauses]\nREASON_TO_COME = { cite = "Act 9", verified = false }'))
    answer = readiness(("reference", policies.policy_record(content)))
    later = [code for code, kind in CATALOGUE.items() if kind.since > 6]
    assert answer["policy_later"] == {"jp-pmark@7": later}
    assert answer["policy_carried"] == {"jp-pmark@7": ["REASON_TO_COME"]}
    said = status_shown(answer, capsys)
    assert text("cli.policy_later", policy="jp-pmark@7", rows=", ".join(later)) in said
    assert text("cli.policy_carried", policy="jp-pmark@7", rows="REASON_TO_COME") in said
    assert readiness()["policy_later"] == {}, "of a text that we ship, nobody needs to be reminded"


def test_a_stop_of_a_key_that_the_worker_lacks_then_the_action_names_the_key(
    capsys: pytest.CaptureFixture[str],
) -> None:
    answer = readiness(invented.source(), invented.suppression(token="cp-1", key=2))
    said = status_shown(answer, capsys)
    assert text("cli.status_token_key_missing", key="t1k2", stops="1", sources="0") in said
    assert text("cli.status_token_key", key="t1", stops="0", sources="1") in said
    assert [use["key"] for use in status_text.missing_keys(answer)] == ["t1k2"]


def test_a_stop_of_another_key_with_the_workers_number_then_it_says_import_it_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    use = {"key": "t1x", "stops": 3, "sources": 0, "held": False}
    said = status_shown({"token_keys": [use]}, capsys)
    assert text("cli.status_token_key_other", key="t1x", stops="3", sources="0") in said


def test_words_of_an_audience_that_no_list_has_then_check_names_them_and_no_other() -> None:
    evaluator = Evaluator(load("jp-pmark"), tokens=invented.TOKENS)
    judge = CampaignJudge(Moment(evaluator, invented.store(), LedgerState(), invented.T))
    audiences = enumerate((["buyers_of.diabetes"], ["lives.by-the_sea", "糖尿病"]))
    lines = ((n, orjson.dumps(invented.send(event_id=f"E-{n}", audience=audience))) for n, audience in audiences)
    unlisted = frozenset().union(*(judge.line(line).unlisted for line in lines))
    assert unlisted == {"lives", "by", "the", "sea"}


def test_a_number_of_2017_then_the_reasons_page_finds_what_cites_the_clause_of_today() -> None:
    policy = load("jp-pmark").at(invented.T)
    found = [kind.code for kind in citing(policy, "A.3.4.2.7")]
    assert found == [kind.code for kind in citing(policy, "J.8.7")]
    assert {"CONSENT_MISSING", "CONSENT_WITHDRAWN"} <= {*found}
    assert citing(policy, "A.3.4.2.99") == []


def test_the_short_meaning_of_a_minor_then_it_says_the_age_where_one_policy_decides() -> None:
    assert Words("ja", "Asia/Tokyo", minor_age=15).meaning("MINOR_NO_GUARDIAN").startswith("15歳未満")
    assert "歳" not in Words("ja", "Asia/Tokyo").meaning("MINOR_NO_GUARDIAN")


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
    said = status_shown(answer, capsys)
    assert text("cli.status_reference_waits", **{**found["waiting"][0], "signed_by": "-"}) in said
    assert text("act.refused_role") in said
    assert text("cli.status_acts_unsigned") not in said


def test_a_partition_whose_sealing_is_held_then_status_and_readyz_name_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GATEKEEPER_LOG", str(tmp_path))
    one = Held(partition=2, offset=70, sealed="a" * 64, head="b" * 64)
    hold(AtomicStore(tmp_path), one)
    answer = readiness()
    assert answer["sealing_held"] == {"2": "gatekeeper audit branch 2"}
    worker = {"address": "http://x/readyz", "ready": False, "answer": answer}
    status_text.show(
        {**QUIET_STATE, "worker": worker}, replace(QUIET_FLEET, seal=SealStatus(3, invented.T, held=(one,)))
    )
    assert text("cli.status_sealing_held", partition=2, offset=70) in capsys.readouterr().out
