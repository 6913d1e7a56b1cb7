"""The rules are kept: what a version decided does not change, and any later release still reads and explains it."""

from __future__ import annotations

import json
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import orjson
import pytest

from gatekeeper.audit.checks.by_hash import ByHash
from gatekeeper.audit.checks.replay import replay
from gatekeeper.audit.explanation.citations import Citations
from gatekeeper.audit.explanation.explanation import Explanation
from gatekeeper.audit.explanation.placed_record import PlacedRecord
from gatekeeper.audit.explanation.wording import told_reason
from gatekeeper.audit.records.record import read_record
from gatekeeper.audit.records.releases import RELEASES, RULES
from gatekeeper.ground.texts import Language, catalogue, text
from gatekeeper.policy import former_clauses
from gatekeeper.policy.policy import read
from schemas.audit import Stage
from tests.support import kept_rules
from tests.support.golden_cases import CASES, decided
from tests.support.records import Named

VERSIONS = kept_rules.versions()
QUOTES = [
    text("explanation.reason_unknown", lang, rules="").split("(")[0].split(", which")[0] for lang in get_args(Language)
]


@pytest.mark.long("the golden cases alone: tests/golden/test_cases.py")
def test_what_is_decided_then_it_is_that_of_the_version_of_the_rules() -> None:
    now, before = kept_rules.lock(), kept_rules.locked(RULES)
    new = now.keys() - before.keys()
    assert not new, f"not locked yet: {sorted(new)}; run `python -m tests.support.kept_rules --write`"
    otherwise = kept_rules.changed(before, now)
    assert not otherwise, f"version {RULES} decides otherwise: {', '.join(otherwise)}\n{kept_rules.HOW}"


def test_golden_cases_then_each_is_locked_and_another_decision_has_another_digest() -> None:
    assert CASES.keys() <= kept_rules.locked(RULES).keys(), "run `python -m tests.support.kept_rules --write`"
    other = kept_rules.digest_of([decided({**CASES["G01"], "sources": []})])
    assert kept_rules.changed({"G01": kept_rules.locked(RULES)["G01"]}, {"G01": other}) == ["G01"]


def test_all_that_is_kept_then_it_is_unchanged_and_the_rules_in_force_have_a_folder() -> None:
    found = kept_rules.digests()
    assert kept_rules.folder(RULES).name in found, (
        f"no records are kept of version {RULES} of the rules.\n{kept_rules.HOW}"
    )
    wrong = {name: one for name, one in found.items() if kept_rules.DIGESTS.get(name) != one}
    assert not wrong, (
        f"{wrong} are not the digests in {kept_rules.__file__}. What is there never changes: restore it. "
        "Add a line for a new one."
    )
    assert found.keys() == kept_rules.DIGESTS.keys()


@pytest.mark.parametrize("rules", VERSIONS)
def test_records_of_a_version_then_they_replay_and_none_is_called_wrong(rules: int) -> None:
    values, names = kept_rules.fixture(rules)
    assert {orjson.loads(value)["engine"]["rules"] for value in values} == {rules}
    library = ByHash(names)
    released = {**RELEASES, rules: "0.0.0"}  # as if it had been, since versions 3 and 4 never were
    found = [replay(value, library, releases=released) for value in values]
    allowed = {"same", "told", "silent"} | ({"unverified"} if rules != RULES else set())
    assert [one for one in found if one.finding not in allowed] == []
    assert {one.stage for one in found} == set(get_args(Stage))


@pytest.mark.parametrize("rules", VERSIONS)
def test_records_of_a_version_then_all_is_explained_in_both_languages(rules: int) -> None:
    values, names = kept_rules.fixture(rules)
    then = json.loads((kept_rules.folder(rules) / "reasons.json").read_text("utf-8"))
    citations = Citations(names.policy)
    for said in map(read_record, values):
        for reason in said["reasons"]:
            told = told_reason(reason, said, citations)
            assert told["clause"] == cited(reason["code"], said, then["clauses"], names)
            assert [quote for quote in QUOTES if quote in told["ja"] + told["en"]] == []
        for lang in get_args(Language):
            page = Explanation([PlacedRecord(said, 0)], None, local=str, lang=lang).page()
            assert said["did"] in page


def cited(code: str, record: dict[str, Any], then: dict[str, str], names: Named) -> str:
    """Returns the clause of a recorded reason: of the catalogue then, or of the policy that the record names."""
    if record["engine"]["rules"] <= former_clauses.LAST:
        return then[code]
    text = names.policy(record["policy"]["sha256"])
    assert text is not None
    return read(text, file="kept").cites(code, record["channel"])


@pytest.mark.parametrize("rules", VERSIONS)
def test_reasons_of_a_version_then_clause_and_sentence_are_still_there(rules: int) -> None:
    then = json.loads((kept_rules.folder(rules) / "reasons.json").read_text("utf-8"))
    if rules <= former_clauses.LAST:
        lost = [code for code, clause in then["clauses"].items() if former_clauses.CLAUSES.get(code) != clause]
        assert not lost, f"{lost}: rules {rules} had them with another clause. Put it back into former_clauses.py."
    for key, filled in then["sentences"].items():
        assert f"reason.{key}" in catalogue(), (
            f"records of rules {rules} are explained by {key} of reason.toml: keep it"
        )
        more = set().union(*map(kept_rules.filled, catalogue()[f"reason.{key}"].values())) - set(filled)
        assert not more, f"records of rules {rules} do not have {more} for {key}: give the new sentence a case"


def test_releases_then_each_version_of_the_rules_has_its_own_not_ahead_of_ours() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))["project"]
    numbers = [tuple(map(int, RELEASES[rules].split("."))) for rules in sorted(RELEASES)]
    assert all(one < other for one, other in pairwise(numbers))
    assert numbers[-1] <= tuple(map(int, project["version"].split(".")))
