"""The contract is kept: a program that was written against a release goes on working with any later one."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support import contract_breaks
from tests.support.contract_breaks import HOW, breaks, keep, kept_contracts
from tests.support.published import document

NOW = document("asyncapi")
HOUSE = Path(__file__).parents[2]
FIRST = (0, 3, 0)
"""The first release that publishes a contract."""
NEVER_DONE = {
    "0.3.0": {
        *(f"acts.Release.{name}: field required now" for name in ("act_id", "review", "had")),
        *(f"acts.Release.{name}: null removed or narrowed" for name in ("act_id", "review")),
        "acts.Release.kind: value removed",
        "acts.Release.by: array removed or narrowed",
        *(f"suppressions.Suppression: {part} changed" for part in ("if", "then", "else")),
    }
}
"""Changes by which no program loses anything: of forms that a release always refused, or that let a new form pass."""
Change = Callable[[dict[str, Any]], Any]


def test_contracts_of_releases_then_the_present_one_breaks_none() -> None:
    found = {version: {*breaks(old, NOW)} for version, old in kept_contracts().items()}
    assert {version: broken for version, broken in found.items() if broken} == NEVER_DONE, HOW


def test_releases_then_the_contract_of_each_is_kept() -> None:
    headings = re.findall(r"^## ([\d.]+)(.*)$", (HOUSE / "CHANGELOG.md").read_text("utf-8"), re.M)
    assert headings
    out = {version for version, rest in headings if "not released" not in rest}
    wanted = {version for version in out if tuple(map(int, version.split("."))) >= FIRST}
    missing = wanted - kept_contracts().keys()
    assert not missing, f"run `python -m tests.support.contract_breaks --keep VERSION` for {sorted(missing)}"


def test_a_contract_that_is_kept_then_it_is_read_back_unless_it_was_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contract_breaks, "KEPT", tmp_path / "contracts")
    path = keep("9.0.0")
    assert breaks(kept_contracts()["9.0.0"], NOW) == []
    path.write_text(path.read_text("utf-8").replace("winter", "summer"), "utf-8")
    with pytest.raises(ValueError, match="not as it was kept"):
        kept_contracts()


def model(name: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda document: document["components"]["schemas"][name]  # type: ignore[no-any-return]


def field(name: str, of: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda document: model(of)(document)["properties"][name]  # type: ignore[no-any-return]


def put(where: Callable[[dict[str, Any]], dict[str, Any]], **words: Any) -> Change:
    return lambda document: where(document).update(words)


def drop(where: Callable[[dict[str, Any]], dict[str, Any]], word: str) -> Change:
    return lambda document: where(document).pop(word)


def add(of: str, name: str, *, required: bool) -> Change:
    def change(document: dict[str, Any]) -> None:
        found = model(of)(document)
        found["properties"][name] = {"type": "string"}
        found["required"] = [*found.get("required", ()), *([name] if required else ())]

    return change


def unneed(of: str, name: str) -> Change:
    return lambda document: model(of)(document)["required"].remove(name)


def without(of: str, name: str) -> Change:
    def change(document: dict[str, Any]) -> None:
        found = model(of)(document)
        del found["properties"][name]
        found["required"] = [one for one in found.get("required", ()) if one != name]

    return change


def nullable(of: str, name: str) -> Change:
    def change(document: dict[str, Any]) -> None:
        fields = model(of)(document)["properties"]
        fields[name] = {"anyOf": [fields[name], {"type": "null"}]}

    return change


BREAKS: dict[str, Change] = {
    "recalls: topic removed": lambda doc: doc["channels"].pop("recalls"),
    "reference.Batch: kind removed": lambda doc: doc["channels"]["reference"]["messages"].pop("Batch"),
    "sends.Send.ground: field removed": without("Send", "ground"),
    "sends.Send.delivery: object removed or narrowed": without("Delivery", "phone"),
    "sources.Source.why: field required now": add("Source", "why", required=True),
    "recalls.Recall.event_id: field optional": unneed("Recall", "event_id"),
    "recalls.Recall.event_id: type added": nullable("Recall", "event_id"),
    "reference.Purpose.marketing: type changed": put(field("marketing", "Purpose"), type="string"),
    "recalls.Recall.channel: value removed": put(field("channel", "Recall"), enum=["postal"]),
    "sends.Send.match[].score: maximum narrowed": put(field("score", "Match"), maximum=999),
    "sends.Send.event_id: pattern changed": put(field("event_id", "Send"), pattern="^x$"),
    "sends.Send: if changed": put(model("Send"), **{"if": {}, "then": False}),
    "sends.Send.ground: null removed": put(field("ground", "Send"), anyOf=[{"type": "string"}]),
    "sends.Send headers{}: no longer open": put(model("SendHeaders"), additionalProperties=False),
}


@pytest.mark.parametrize("said", BREAKS)
def test_a_change_that_breaks_then_it_is_named_by_its_place(said: str) -> None:
    changed = copy.deepcopy(NOW)
    BREAKS[said](changed)
    assert [one for one in breaks(NOW, changed) if one.startswith(said)] != [], breaks(NOW, changed)


FINE: dict[str, Change] = {
    "an optional field": add("Recall", "why", required=False),
    "a topic": lambda doc: doc["channels"].update(more=doc["channels"]["recalls"]),
    "a longer list": put(field("match", "Send"), maxItems=17),
    "a pattern goes": drop(field("event_id", "Send"), "pattern"),
    "a field that others write is optional": unneed("Source", "collected_by"),
    "a condition goes": drop(model("Consent"), "if"),
}


def test_changes_that_break_nothing_then_none_is_named() -> None:
    changed = copy.deepcopy(NOW)
    for change in FINE.values():
        change(changed)
    assert breaks(NOW, changed) == []
