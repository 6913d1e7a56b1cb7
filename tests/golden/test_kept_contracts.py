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


BREAKS: list[tuple[str, Change, str]] = [
    ("a topic goes", lambda doc: doc["channels"].pop("recalls"), "recalls: topic removed"),
    ("a topic is renamed", put(lambda doc: doc["channels"]["recalls"], address="x"), "recalls: topic removed"),
    (
        "a kind goes",
        lambda doc: doc["channels"]["reference"]["messages"].pop("Batch"),
        "reference.Batch: kind removed",
    ),
    ("an optional field goes", without("Send", "ground"), "sends.Send.ground: field removed"),
    ("a field within goes", without("Delivery", "phone"), "sends.Send.delivery: object removed or narrowed"),
    ("a required field is new", add("Source", "why", required=True), "sources.Source.why: field required now"),
    (
        "a field is required now",
        put(model("Recall"), required=["mail_date"]),
        "recalls.Recall.mail_date: field required",
    ),
    (
        "a field that others read is optional now",
        unneed("Recall", "event_id"),
        "recalls.Recall.event_id: field optional",
    ),
    ("a field that others read may be null", nullable("Recall", "event_id"), "recalls.Recall.event_id: type added"),
    ("another type", put(field("marketing", "Purpose"), type="string"), "reference.Purpose.marketing: type changed"),
    ("a value goes", put(field("channel", "Recall"), enum=["postal"]), "recalls.Recall.channel: value removed"),
    ("a fixed value", put(field("state", "Batch"), enum=["active"]), "reference.Batch.state: value removed"),
    ("a text has values", put(field("event_id", "Send"), enum=["a"]), "sends.Send.event_id: value removed"),
    ("another kind", put(field("kind", "Batch"), const="list"), "reference.Batch.kind: value removed"),
    ("a higher minimum", put(field("count", "Copy"), minimum=2), "reference.Copy.count: minimum narrowed"),
    ("a lower maximum", put(field("score", "Match"), maximum=999), "sends.Send.match[].score: maximum narrowed"),
    ("a shorter list", put(field("match", "Send"), maxItems=15), "sends.Send.match: maxItems narrowed"),
    ("a limit where none was", put(field("writer", "Manifest"), maxLength=9), "manifests.Manifest.writer: maxLength"),
    ("another pattern", put(field("event_id", "Send"), pattern="^x$"), "sends.Send.event_id: pattern changed"),
    ("a pattern where none was", put(field("writer", "Manifest"), pattern="^x$"), "manifests.Manifest.writer: pattern"),
    (
        "something forbidden",
        put(field("event_id", "Send"), **{"not": {"const": "x"}}),
        "sends.Send.event_id: not changed",
    ),
    ("a condition", put(model("Send"), **{"if": {}, "then": False}), "sends.Send: if changed"),
    (
        "one more condition",
        put(model("Send"), allOf=[{"if": {"required": ["purpose"]}, "then": {"required": ["ground"]}}]),
        "sends.Send: allOf changed",
    ),
    (
        "a form goes",
        put(field("provision", "NoticeItems"), anyOf=[{"type": "null"}]),
        "reference.Controller.notice_items",
    ),
    ("a null goes", put(field("ground", "Send"), anyOf=[{"type": "string"}]), "sends.Send.ground: null removed"),
    (
        "headers are closed",
        put(model("SendHeaders"), additionalProperties=False),
        "sends.Send headers{}: no longer open",
    ),
    ("a header goes", without("ManifestHeaders", "gate-sig"), "manifests.Manifest headers.gate-sig: field removed"),
    (
        "a map's values",
        lambda doc: field("verdicts", "Manifest")(doc)["additionalProperties"].update(maximum=1),
        "manifests.Manifest.verdicts{}: maximum narrowed",
    ),
]


@pytest.mark.parametrize(("change", "said"), [case[1:] for case in BREAKS], ids=[case[0] for case in BREAKS])
def test_a_change_that_breaks_then_it_is_named_by_its_place(change: Change, said: str) -> None:
    changed = copy.deepcopy(NOW)
    change(changed)
    assert [one for one in breaks(NOW, changed) if one.startswith(said)] != [], breaks(NOW, changed)


FINE: list[tuple[str, Change]] = [
    ("nothing", lambda doc: None),
    ("an optional field", add("Recall", "why", required=False)),
    ("a topic", lambda doc: doc["channels"].update(more=doc["channels"]["recalls"])),
    (
        "a value",
        put(field("channel", "Send"), enum=["postal", "email", "sms", "phone", "fax", "push", "visit", "social", "x"]),
    ),
    ("a longer list", put(field("match", "Send"), maxItems=17)),
    ("a limit goes", drop(field("match", "Send"), "maxItems")),
    ("a pattern goes", drop(field("event_id", "Send"), "pattern")),
    ("a field that others write is optional", unneed("Source", "collected_by")),
    ("a form is new", nullable("Source", "method")),
    ("a description", put(model("Send"), description="x")),
    ("a condition goes", drop(model("Consent"), "if")),
    (
        "a condition on a new field",
        put(model("Send"), allOf=[{"if": {"required": ["new"]}, "then": {"required": ["token"]}}]),
    ),
]


@pytest.mark.parametrize("change", [case[1] for case in FINE], ids=[case[0] for case in FINE])
def test_a_change_that_breaks_nothing_then_none_is_named(change: Change) -> None:
    changed = copy.deepcopy(NOW)
    change(changed)
    assert breaks(NOW, changed) == []
