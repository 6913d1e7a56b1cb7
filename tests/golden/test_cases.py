"""The table of golden cases, through `gatekeeper decide` as a person would run it, and through decide() itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gatekeeper.audit.checks.by_hash import ByHash
from gatekeeper.audit.checks.replay import replay
from gatekeeper.audit.records.releases import RULES
from gatekeeper.cli.decide import command
from gatekeeper.deciding.answer import answer, coded, rendered
from gatekeeper.deciding.decide import decide
from gatekeeper.deciding.plan import Plans
from gatekeeper.deciding.rules.system import Cleared
from gatekeeper.identity import printed
from gatekeeper.keys import Keys
from gatekeeper.policy.packs import load
from gatekeeper.policy.reasons import CATALOGUE
from schemas.codec import canonical
from schemas.decision import Decision
from schemas.events import Send
from tests.support import invented, kept_rules
from tests.support.golden_cases import CASES, decided, events
from tests.support.records import Named, of_case
from tests.support.world import key_folder

LOCKED = kept_rules.locked(RULES) if RULES in kept_rules.versions() else {}


@pytest.mark.parametrize("first", sorted({name[:2] for name in CASES}))
def test_golden_cases_decided_then_as_the_table_says(first: str) -> None:
    for name, case in CASES.items():
        if name.startswith(first):
            decision = decided(case)
            told = decision.verdict, list(decision.codes), list(decision.notes)
            assert told == (case["verdict"], case.get("reasons", []), case.get("notes", [])), name
            assert set(case.get("obligations", ())) <= set(decision.obligations), name
            if name in LOCKED:
                assert kept_rules.digest_of([decision]) == LOCKED[name], f"{name}, version {RULES}\n{kept_rules.HOW}"


GIVEN = {"at", "policy", "keys", "as_of", "unavailable", "checkpoint", "clearances"}
FEW = {frozenset(GIVEN & case.keys()): name for name, case in CASES.items()}
PRINTED = [*list(CASES)[::40], *FEW.values()]
"""Every fortieth case, and one of each kind that gives the command more than facts and a send."""


@pytest.mark.parametrize("name", PRINTED)
def test_golden_case_printed_by_the_command_then_the_same(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    reference, facts = events(case)
    file = tmp_path / "case.json"
    content = {
        "at": case.get("at", "2026-11-24T10:00:00+09:00"),
        "policy": case.get("policy", "jp-pmark"),
        "reference": [value for _, value in reference],
        "facts": [{"topic": f"mail.{topic}.v1", "value": value} for topic, value in facts],
        "send": invented.send(**case.get("send", {})),
        **{field: case[field] for field in ("as_of", "unavailable", "checkpoint", "clearances") if field in case},
    }
    file.write_text(json.dumps(content), "utf-8")
    result = CliRunner(env={"GATEKEEPER_KEYS": str(_keys(case, tmp_path))}).invoke(command, [str(file), "--json"])
    assert result.exit_code == (0 if case["verdict"] == "clear" else 1), result.output
    printed = json.loads(result.stdout)
    Decision.model_validate_json(result.stdout)

    assert printed["verdict"] == case["verdict"]
    assert [reason["code"] for reason in printed["reasons"]] == case.get("reasons", [])
    assert printed["primary"] == (case["reasons"][0] if case.get("reasons") else None)


@pytest.mark.parametrize("every", [8, pytest.param(1, marks=pytest.mark.long("one in eight"))])
def test_golden_cases_recorded_then_each_replays_from_what_its_record_names(every: int) -> None:
    records, named = {}, Named()
    for name, case in [*CASES.items()][::every]:
        records[name], reference = of_case(case)
        more = Named(reference)
        named.policies |= more.policies
        named.references |= more.references
    library = ByHash(named)
    findings = {name: replay(record, library).finding for name, record in records.items()}
    assert {name: finding for name, finding in findings.items() if finding not in ("same", "told")} == {}


def test_golden_table_then_reaches_every_reason_but_the_defect() -> None:
    reached = {code for case in CASES.values() for code in case.get("reasons", ())}
    assert reached == set(CATALOGUE) - {"DECISION_FAILED"}


def test_golden_case_withheld_then_each_reason_has_clause_and_remedy() -> None:
    reached = {tuple(case.get("reasons", ())): name for name, case in CASES.items()}
    for name in reached.values():
        case = CASES[name]
        reference, facts = events(case)
        store = invented.store(*facts, reference=reference)
        send = Send.model_validate_json(json.dumps(invented.send(**case.get("send", {}))))
        packs = load(case.get("policy", "jp-pmark"))
        view = store.view(send, printed(invented.TOKENS, send), **invented.NOW)
        plan = Plans(store.reference, packs, invented.T).of(send)
        decision = decide(plan, send, view, clearance=Cleared("D-1"))
        found = answer(decision, send.channel)
        header = coded(decision, send.channel, "A" * 26)
        assert rendered(canonical(header)).model_dump(mode="json") == json.loads(canonical({**found, "id": "A" * 26}))
        for reason in found["reasons"]:
            assert reason["clause"], name
            assert reason["remedy"], name


def _keys(case: dict[str, Any], tmp_path: Path) -> Path:
    """Returns a folder with the token keys that the gate of the case holds."""
    if "keys" not in case:
        return key_folder()
    keys = Keys(tmp_path / "keys")
    for number in case["keys"]:
        keys.make("token", "", secret=invented.KEYS[number])
    return keys.folder
