"""Versions put in force by records of `reference`: which one holds when, and what bars a policy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import orjson
import pytest

from gatekeeper.deciding.decide import Decision
from gatekeeper.ground.errors import UsageError
from gatekeeper.knowledge.store import FactStore
from gatekeeper.management.policy_change import check
from gatekeeper.policy.packs import Packs, load
from gatekeeper.policy.policy import read
from schemas.events import Send
from tests.support import invented, kept_rules
from tests.support.facts import fact
from tests.support.invented import decide
from tests.support.policies import policy_record, shipped, text

BASE = load("jp-pmark")
DAY = 86_400_000


def store(*values: dict[str, Any] | bytes, faults: int = 0) -> FactStore:
    found = invented.store(invented.source(), invented.consent())
    said = []
    for offset, value in enumerate(values, 100):
        key, data = (b"policy/jp-pmark", value) if isinstance(value, bytes) else (None, orjson.dumps(value))
        said.append(found.apply(fact("reference", 0, offset, key, data)))
    assert sum(fault is not None for fault in said) == faults, said
    return found


def packs(known: FactStore) -> Packs:
    return known.activations.over(BASE)


def names(known: FactStore, *days: int, country: str | None = "JP") -> list[str | None]:
    """Returns which version decides on those days from T on."""
    found = (packs(known).deciding(country, invented.T + day * DAY) for day in days)
    return [policy and policy.name for policy in found]


def decided(known: FactStore, **fields: Any) -> Decision:
    one = Send.model_validate_json(orjson.dumps(invented.send(**fields)))
    return decide(one, invented.view(known, one), known.reference, packs(known), invented.T)


def test_version_activated_then_it_holds_from_its_instant_and_decides() -> None:
    value = policy_record(text(7, ("ask_cap = 1", "ask_cap = 2")), invented.T + DAY)
    known = store(value)
    assert names(known, 0, 1, 2) == ["jp-pmark@1", "jp-pmark@7", "jp-pmark@7"]
    held = packs(known)
    assert held.deciding("JP", invented.T + DAY - 1) is BASE.home[0]
    assert held.at(invented.T + DAY).ref == {"id": "jp-pmark", "version": 7, "sha256": value["sha256"]}


def test_one_manager_s_text_after_a_shipped_version_then_it_takes_nothing_away() -> None:
    for since, day in ((0, -20), (30 * DAY, 40)):
        known = FactStore()
        value = policy_record(text(7), invented.T + since, by="hanako")
        record = replace(fact("reference", 0, 100, None, orjson.dumps(value)), timestamp=invented.T + 26 * DAY)
        assert known.apply(record) is None
        assert names(known, 30, 40) == ["jp-pmark@3", "jp-pmark@3"], day
        assert [ignored.case for ignored in packs(known).ignored] == ["one_manager"]


BAD = {
    "unknown rule": policy_record(text(7, ("[rules]", '[rules]\nNEW_RULE = "on"'))),
    "hash of another": policy_record(text(7), sha256="0" * 64),
    "another version": policy_record(text(7), version=8),
    "another place": policy_record(text(7), jurisdictions=["GB"]),
    "deep": policy_record(text(7) + "\nx = " + "[" * 5000),
    "unknown field": policy_record(text(7), also="this"),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_bad_record_then_nothing_is_decided_under_its_policy(bad: dict[str, Any]) -> None:
    known = store(bad, faults=1)
    assert names(known, 0, 600) == [None, None]
    assert names(known, 0, country=None) == [None], "nobody can say what the strictest pack had to be stricter than"
    found = decided(known)
    assert (found.verdict, found.codes, found.reasons[0].facts) == ("block", ("POLICY_UNKNOWN",), ("reference/0/100",))
    assert found.policy.name == "jp-pmark@1"
    assert ("reference", 0, 100) in known.unresolved.faults


ALL = 'consent_channels = ["*"]'
UNLAWFUL = {
    "will switched off": (text(7, ("[rules]", '[rules]\nSUBJECT_OBJECTED = "off"')), "rules.SUBJECT_OBJECTED"),
    "fail closed switched off": (text(7, ("[rules]", '[rules]\nFACTS_STALE = "off"')), "rules.FACTS_STALE"),
    "post without consent": (text(7, (ALL, 'consent_channels = ["email"]')), "parameters.consent_channels"),
}


@pytest.mark.parametrize(("content", "line"), UNLAWFUL.values(), ids=UNLAWFUL)
def test_record_that_takes_away_what_is_law_then_the_version_before_decides(content: str, line: str) -> None:
    known = store(policy_record(content))
    assert names(known, 0, 600) == ["jp-pmark@1", "jp-pmark@4"]
    (ignored,) = packs(known).ignored
    assert (ignored.name, ignored.case, ignored.what) == ("jp-pmark@7", "unlawful", line)
    assert ignored.place == "reference/0/100"
    assert decided(known).verdict == "clear"
    with pytest.raises(UsageError, match=re.escape(line)):
        check(read(content.encode(), file="mine"), content)


def test_version_that_widens_then_it_binds_under_two_managers_only() -> None:
    wider, tighter = text(7, ("ask_cap = 1", "ask_cap = 2")), text(7, ("minor_age = 15", "minor_age = 16"))
    for by in ("pm-7", ["pm-7", "PM-7"]):
        known = store(policy_record(wider, by=by))
        assert names(known, 0) == ["jp-pmark@1"]
        assert [one.case for one in packs(known).ignored] == ["one_manager"]
        assert names(store(policy_record(tighter, by=by)), 0) == ["jp-pmark@7"]
    assert names(store(policy_record(wider, by=["pm-7", "pm-8"])), 0) == ["jp-pmark@7"]


def test_packs_of_other_countries_then_each_send_is_judged_by_its_own() -> None:
    britain = text(1, ('id = "jp-pmark"', 'id = "gb"'), ('jurisdictions = ["JP"]', 'jurisdictions = ["GB"]'))
    known = store(policy_record(britain))
    held = [packs(known).deciding(country, invented.T) for country in ("JP", "GB", "FR", None)]
    assert [one and one.name for one in held] == ["jp-pmark@1", "gb@1", None, "strictest@1"]
    assert names(store(policy_record(britain, by="pm-7")), 0, country="GB") == [None], "a country more is wider"
    assert decided(known, country="GB").policy.name == "gb@1"


def test_two_packs_for_one_country_then_neither_decides() -> None:
    one, other = (
        text(1, ('id = "jp-pmark"', f'id = "{id_}"'), ('jurisdictions = ["JP"]', 'jurisdictions = ["GB"]'))
        for id_ in ("gb", "uk")
    )
    assert names(store(policy_record(one), policy_record(other)), 0, country="GB") == [None]


def test_bad_record_without_a_day_of_its_own_then_it_bars_at_once() -> None:
    for value in (b"", b"{", b'{"kind":"policy"}', orjson.dumps(policy_record(text(7), effective_from="soon"))):
        assert names(store(value, faults=1), 0) == [None]


def test_bad_record_resolved_then_the_old_version_decides_again() -> None:
    place = {"topic": "reference", "partition": 0, "offset": 100}
    said = {"by": "pm-7", "reason": "a typing error", "at": "2026-11-24T10:00:00+09:00"}
    resolution = {"v": 1, "kind": "resolution", "id": "reference-0-100", **place, **said}
    bad = policy_record(text(7), sha256="0" * 64)
    assert names(store(bad, resolution, faults=1), 0) == ["jp-pmark@1"]
    assert names(store(bad, resolution, bad, faults=2), 0) == [None], "each record is resolved for itself"


def test_good_record_after_a_bad_one_then_it_ends_the_bar_on_its_day() -> None:
    bad = policy_record(text(7), invented.T, sha256="0" * 64)
    assert names(store(bad, policy_record(text(7), invented.T + DAY), faults=1), 0, 1) == [None, "jp-pmark@7"]
    assert names(store(policy_record(text(8), invented.T), bad, faults=1), 0) == [None], (
        "what came before mends nothing"
    )


def test_home_stricter_than_the_strictest_then_nobody_without_country_is_judged() -> None:
    stricter = policy_record(text(7, ("minor_age = 15", "minor_age = 18")))
    known = store(stricter)
    assert names(known, 0) == ["jp-pmark@7"]
    assert names(known, 0, country=None) == [None]
    (reason,) = decided(known, country=None).reasons
    assert reason.says == {"case": "looser", "policy": "strictest", "what": "minor_age"}
    known = store(stricter, policy_record(text(7, ("minor_age = 15", "minor_age = 18"), of=shipped("strictest", 1))))
    assert names(known, 0, country=None) == ["strictest@7"]


def earlier_texts() -> Iterator[Any]:
    """Yields the texts of jp-pmark of each version of the rules."""
    for rules in kept_rules.versions():
        yield pytest.param((kept_rules.folder(rules) / "jp-pmark-1.toml").read_text("utf-8"), id=f"rules-{rules}")


@pytest.mark.parametrize("content", [*earlier_texts()])
def test_text_of_an_earlier_release_in_force_then_it_decides_and_reasons_cite_law(content: str) -> None:
    own = text(9, of=content)
    known = store(policy_record(own))
    known.apply(fact("suppressions", 0, 0, None, orjson.dumps(invented.suppression(kind="external")[1])))
    assert names(known, 0) == ["jp-pmark@9"]
    found = decided(known)
    assert (found.codes, found.policy.name) == (("EXTERNAL_PREFERENCE_LISTED",), "jp-pmark@9")
    clause = "APPI 35(5)(6); J.10" if "[clauses]" in content else "policy: jp-pmark@9"
    assert found.policy.cites("EXTERNAL_PREFERENCE_LISTED", "postal") == clause
    others = packs(known).of_other_rules(invented.T)
    assert [one.name for one in others] == (["jp-pmark@9"] if "[clauses]" in content else [])


def test_rule_that_we_do_not_have_switched_on_then_nothing_is_cleared_past_it() -> None:
    known = store(policy_record(text(7, ("[rules]", '[rules]\nRULE_TO_COME = "on"'))), faults=1)
    assert decided(known).codes == ("POLICY_UNKNOWN",)
