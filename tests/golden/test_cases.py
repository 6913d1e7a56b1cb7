"""The table of golden cases, through `gatekeeper decide` as a person would run it, and through decide() itself."""

from __future__ import annotations

import dataclasses
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from gatekeeper.answer import answer
from gatekeeper.cli.decide import command
from gatekeeper.decide import decide
from gatekeeper.policy import load
from gatekeeper.reasons import CATALOGUE
from schemas.audit import Decision
from schemas.events import Send
from tests import world

CASES: dict[str, dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "cases.yaml").read_text("utf-8"))


def events(case: dict[str, Any]) -> tuple[list[world.Event], list[world.Event]]:
    reference = [world.controller(suspended_since=case.get("suspended_since")), *world.REFERENCE[1:]]
    facts = [world.source(**{"source_id": f"S-{n}", **fields}) for n, fields in enumerate(case.get("sources", ()))]
    facts += [world.consent(**{"record_id": f"R-{n}", **fields}) for n, fields in enumerate(case.get("consents", ()))]
    facts += [
        world.suppression(**{"suppression_id": f"X-{n}", **fields})
        for n, fields in enumerate(case.get("suppressions", ()))
    ]
    return reference, facts


@pytest.mark.parametrize("name", CASES)
def test_golden_case_decided_then_as_the_table_says(name: str) -> None:
    case = CASES[name]
    reference, facts = events(case)
    store = world.store(*facts, reference=reference)
    send = Send.model_validate_json(json.dumps(world.send(**case.get("send", {}))))
    view = store.view(send)
    if case.get("unavailable"):
        view = dataclasses.replace(view, unreadable=tuple(case["unavailable"]))
    as_of = int(datetime.fromisoformat(case["as_of"]).timestamp() * 1000) if "as_of" in case else None
    decision = decide(send, view, store.reference, load("jp-pmark"), world.T, as_of=as_of)
    rules = decision.reasons[0].says.get("rule", "").split(", ") if "rule" in case else None

    assert (decision.verdict, list(decision.codes)) == (case["verdict"], case.get("reasons", []))
    assert rules == case.get("rule")
    assert list(decision.notes) == case.get("notes", [])
    assert set(case.get("obligations", ())) <= set(decision.obligations)


@pytest.mark.parametrize("name", CASES)
def test_golden_case_through_the_command_then_the_same(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    reference, facts = events(case)
    file = tmp_path / "case.json"
    content = {
        "at": "2026-11-24T10:00:00+09:00",
        "policy": "jp-pmark",
        "reference": [{"topic": "reference", "key": f"{v['kind']}/{v['id']}", "value": v} for _, v in reference],
        "facts": [{"topic": f"mail.{topic}.v1", "value": value} for topic, value in facts],
        "send": world.send(**case.get("send", {})),
        **{field: case[field] for field in ("as_of", "unavailable") if field in case},
    }
    file.write_text(json.dumps(content), "utf-8")
    result = CliRunner().invoke(command, [str(file), "--json"])
    assert result.exit_code == (0 if case["verdict"] == "clear" else 1), result.output
    printed = json.loads(result.stdout)
    Decision.model_validate_json(result.stdout)

    assert printed["verdict"] == case["verdict"]
    assert [reason["code"] for reason in printed["reasons"]] == case.get("reasons", [])
    assert printed["primary"] == (case["reasons"][0] if case.get("reasons") else None)


def test_golden_table_then_reaches_every_reason_but_the_defect() -> None:
    reached = {code for case in CASES.values() for code in case.get("reasons", ())}
    assert reached == set(CATALOGUE) - {"DECISION_FAILED"}


def test_golden_case_withheld_then_each_reason_says_clause_and_next_step_in_both_languages() -> None:
    for name, case in CASES.items():
        reference, facts = events(case)
        store = world.store(*facts, reference=reference)
        send = Send.model_validate_json(json.dumps(world.send(**case.get("send", {}))))
        decision = decide(send, store.view(send), store.reference, load("jp-pmark"), world.T)
        for reason in answer(decision)["reasons"]:
            assert reason["clause"], name
            assert reason["remedy"], name
            assert reason["ja"].endswith("。"), name
            assert reason["ja"].count("。") >= 2, name
            assert reason["en"].count(". ") >= 1, name
