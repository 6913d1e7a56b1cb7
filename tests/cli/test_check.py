"""`gatekeeper check`: a campaign judged before it is published, from files and from the running system."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from gatekeeper.ledger import entries
from schemas.codec import parse
from tests.support import invented
from tests.support.world import key_folder

pytestmark = pytest.mark.main

AT = "2026-11-24T10:00:00+09:00"


def person(name: str) -> list[invented.Event]:
    """Somebody who may be written to: a point card with a complete form, and a yes."""
    point = (f"cp-{name}",)
    return [
        invented.source(source_id=f"S-{name}", recipient_id=name, contact_points=point),
        invented.consent(record_id=f"R-{name}", recipient_id=name),
    ]


def objection(name: str) -> invented.Event:
    topic, value = invented.suppression(suppression_id=f"X-{name}")
    return topic, {**value, "recipient_id": name}


def send(name: str, **fields: Any) -> dict[str, Any]:
    return invented.send(event_id=f"E-{name}", recipient_id=name, point=f"cp-{name}", **fields)


def jsonl(path: Path, values: Iterable[Any]) -> str:
    lines = (value if isinstance(value, str) else json.dumps(value) for value in values)
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return str(path)


def events(path: Path, *known: invented.Event) -> str:
    """A file of facts as a case has them, each with its topic."""
    return jsonl(
        path, ({"topic": f"mail.{topic}.v1", "value": value} for topic, value in (*invented.REFERENCE, *known))
    )


@pytest.fixture
def facts(tmp_path: Path) -> str:
    return events(tmp_path / "facts.jsonl", *person("yes"), *person("no"), objection("no"))


def test_one_withheld_then_exit_1_with_reasons_cures_and_a_row_of_it(run, tmp_path: Path, facts: str) -> None:
    clear = run("check", jsonl(tmp_path / "clear.jsonl", [send("yes")]), "--facts", facts, "--at", AT)
    assert (clear.code, clear.err) == (0, "")
    out = tmp_path / "withheld.jsonl"
    campaign = jsonl(tmp_path / "c.jsonl", [send("yes"), send("no"), "", send("stranger")])
    done = run("check", campaign, "--facts", facts, "--at", AT, "--out", str(out), "--json")
    assert done.code == 1
    assert (done.json["sends"], done.json["withheld"]) == (3, 2)
    assert done.json["verdicts"] == {"clear": 1, "confirm": 0, "review": 0, "block": 2}
    assert done.json["at"] == "2026-11-24T01:00:00.000Z"
    assert done.json["cures"] == {"N": 1}
    first, second = (json.loads(line) for line in out.read_text("utf-8").splitlines())
    assert (first["line"], first["recipient_id"], first["primary"]) == (2, "no", "SUBJECT_OBJECTED")
    assert (first["remedy"], first["cures"]) == (["N"], ["N"])
    assert (second["line"], second["recipient_id"], second["reasons"]) == (4, "stranger", ["SOURCE_UNKNOWN"])
    assert "withheld.jsonl" in done.err


def test_garbage_lines_then_each_counts_as_invalid_and_the_rest_is_judged(run, tmp_path: Path, facts: str) -> None:
    lines = ["{broken", send("yes"), "\x00\x01", json.dumps({**send("yes"), "channel": "pigeon"}), "x" * 20_000]
    done = run("check", jsonl(tmp_path / "c.jsonl", lines), "--facts", facts, "--at", AT, "--json")
    assert done.code == 1
    assert done.json["verdicts"]["clear"] == 1
    assert done.json["funnel"][0] == {"verdict": "block", "primary": "EVENT_INVALID", "sends": 4}
    assert done.json["unreadable_sends"] == [
        {"where": "1", "fault": "not_json"},
        {"where": "3", "fault": "not_json"},
        {"where": "4", "fault": "field_invalid at channel"},
        {"where": "5", "fault": "value_too_long"},
    ]


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key that the tests' tokens are made with, where the settings name it."""
    monkeypatch.setenv("GATEKEEPER_KEYS", str(key_folder()))


HOME = {"name": "見本 花子", "postcode": "100-0001", "lines": ["東京都千代田区千代田1-1"]}
ELSEWHERE = {**HOME, "lines": ["東京都千代田区千代田9-9"]}


def delivered(tmp_path: Path, *deliveries: dict[str, Any]) -> tuple[str, list[dict[str, Any]]]:
    """Facts of people who live at HOME, and a send to each, printed as `deliveries` say."""
    known, sends = list[invented.Event](), []
    for number, delivery in enumerate(deliveries):
        name = f"P{number}"
        point = {"id": f"cp-{name}", **invented.known_by(HOME)}
        topic, source = invented.source(source_id=f"S-{name}", recipient_id=name)
        known += [(topic, {**source, "contact_points": [point]}), *person(name)[1:]]
        contact = {"id": point["id"], "country": "JP"}
        sends.append({**send(name), "contact_point": contact, "delivery": delivery})
    return events(tmp_path / "homes.jsonl", *known), sends


def test_address_printed_that_is_not_the_one_judged_then_withheld_as_by_a_worker(
    run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts, sends = delivered(tmp_path, HOME, ELSEWHERE)
    done = run("check", jsonl(tmp_path / "c.jsonl", sends), "--facts", facts, "--at", AT, "--json")
    assert {one["primary"]: one["sends"] for one in done.json["funnel"]} == {None: 1, "CONTACT_POINT_NOT_COVERED": 1}

    monkeypatch.setenv("GATEKEEPER_KEYS", str(tmp_path / "no-keys"))
    facts, (bare, one) = delivered(tmp_path, HOME, HOME)
    named = {**one, "contact_point": {**one["contact_point"], "token": invented.known_by(HOME)["token"]}}
    done = run("check", jsonl(tmp_path / "c.jsonl", [bare, named]), "--facts", facts, "--at", AT, "--json")
    assert {one["primary"]: one["sends"] for one in done.json["funnel"]} == {"FACTS_UNAVAILABLE": 1, None: 1}
    assert "keys init --role token" in done.err


def test_same_send_twice_then_only_the_first_is_clear(run, tmp_path: Path, facts: str) -> None:
    twice = [send("yes"), send("yes"), send("yes", campaign_id="K-2"), send("no"), send("no")]
    done = run("check", jsonl(tmp_path / "c.jsonl", twice), "--facts", facts, "--at", AT, "--json")
    assert done.code == 1
    assert done.json["duplicates"] == 2
    assert {one["primary"]: one["sends"] for one in done.json["funnel"]} == {
        None: 2,
        "SUBJECT_OBJECTED": 2,  # what is withheld may be tried again
        "DUPLICATE_SEND": 1,
    }


def test_fact_that_cannot_be_read_then_its_person_is_withheld_and_it_is_told(run, tmp_path: Path, facts: str) -> None:
    broken = [
        {"topic": "consents", "value": {"v": 1, "kind": "consent", "recipient_id": "yes"}},
        '{"topic": "consents", "value": {"recipient_id": "other", ',
        {"topic": "consent", "value": {"recipient_id": "third"}},
    ]
    more = jsonl(tmp_path / "more.jsonl", broken)
    campaign = jsonl(tmp_path / "c.jsonl", [send("yes"), send("other"), send("third"), send("no")])
    done = run("check", campaign, "--facts", facts, "--facts", more, "--at", AT, "--json")
    assert done.code == 1
    reasons = {one["primary"]: one["sends"] for one in done.json["funnel"]}
    assert reasons == {"FACTS_UNAVAILABLE": 3, "SUBJECT_OBJECTED": 1}
    assert [one["where"] for one in done.json["unreadable_facts"]] == [f"{more}:{line}" for line in (1, 2, 3)]
    nobody = jsonl(tmp_path / "nobody.jsonl", ["???"])  # it names nobody, so it may be of anybody
    done = run("check", jsonl(tmp_path / "c.jsonl", [send("yes")]), "--facts", facts, "--facts", nobody, "--at", AT)
    assert (done.code, f"{nobody}:1" in done.err, "FACTS_UNAVAILABLE" in done.out) == (1, True, True)


def test_resolution_in_a_file_then_it_frees_nobody(run, tmp_path: Path, facts: str) -> None:
    resolved = {"v": 1, "kind": "resolution", "id": "r1", "topic": "consents", "partition": 1, "offset": 2}
    resolved |= {"by": "pm-7", "reason": "entered again", "at": AT}
    lines = [{"topic": "reference", "value": resolved}, {"topic": "consents", "value": {"recipient_id": "yes"}}]
    more = jsonl(tmp_path / "more.jsonl", lines)
    done = run("check", jsonl(tmp_path / "c.jsonl", [send("yes")]), "--facts", facts, "--facts", more, "--at", AT)
    assert "FACTS_UNAVAILABLE" in done.out


def folder(path: Path, *known: invented.Event) -> Path:
    path.mkdir()
    for topic in ("sources", "consents", "suppressions", "reference"):
        jsonl(path / f"{topic}.jsonl", [value for name, value in (*invented.REFERENCE, *known) if name == topic])
    return path


def test_folder_of_facts_then_judged_by_them_and_refused_without_its_suppressions(run, tmp_path: Path) -> None:
    facts = folder(tmp_path / "facts", *person("yes"), *person("no"), objection("no"))
    campaign = jsonl(tmp_path / "c.jsonl", [send("yes"), send("no")])
    done = run("check", campaign, "--facts", str(facts), "--at", AT, "--json")
    assert done.json["verdicts"] == {"clear": 1, "confirm": 0, "review": 0, "block": 1}
    (facts / "suppressions.jsonl").unlink()
    done = run("check", campaign, "--facts", str(facts), "--at", AT)
    assert "suppressions.jsonl" in done.says(2), "an absence clears nobody"


def test_mail_date_then_judged_as_of_that_day(run, tmp_path: Path) -> None:
    until = invented.consent(recipient_id="P-1", effective_to="2026-11-30")
    facts = events(tmp_path / "facts.jsonl", invented.source(), until)
    campaign = jsonl(tmp_path / "c.jsonl", [invented.send()])
    assert run("check", campaign, "--facts", facts, "--at", "2026-11-30").code == 0
    late = run("check", campaign, "--facts", facts, "--at", "2026-12-01", "--json")
    assert (late.code, late.json["at"]) == (1, "2026-11-30T15:00:00.000Z")
    assert late.json["reasons"][0]["code"] == "CONSENT_EXPIRED"


def test_campaign_or_input_that_is_none_then_one_sentence_and_exit_2(run, tmp_path: Path, facts: str) -> None:
    for name, content, said in (
        ("c.jsonl", "\n\n", "c.jsonl"),
        ("c.csv", "R1,緑野 花子\n", "recipient_id"),
        ("c.csv", '"', "recipient_id"),
    ):
        (tmp_path / name).write_text(content, "utf-8")
        says = run("check", str(tmp_path / name), "--facts", facts).says(2)
        assert said in says
        assert "花子" not in says
    campaign = jsonl(tmp_path / "c.jsonl", [send("yes")])
    assert str(tmp_path) in run("check", str(tmp_path), "--facts", facts).says(2)
    assert "nothere" in run("check", campaign, "--facts", str(tmp_path / "nothere")).says(2)
    assert "c.jsonl" in run("check", campaign, "--facts", facts, "--out", campaign).says(2)
    assert "--at" in run("check", campaign, "--facts", facts, "--at", "tomorrow").says(2)


def test_running_system_then_judged_by_what_stands_on_its_topics(run, system, tmp_path: Path) -> None:
    for topic, value in (*invented.REFERENCE, *person("yes"), *person("no"), objection("no")):
        system.put(topic, json.dumps(value).encode(), partition=0)
    system.put("consents", b"{broken", key=b"other", partition=1)
    again = send("yes", campaign_id="K-0")
    entry = entries.clearance(
        parse("sends", None, json.dumps(again).encode()),
        did="D-0",
        at=invented.T - 1000,
        until=invented.T + 1000,
        basis=None,
        released=False,
        src={"topic": "sends", "partition": 0, "offset": 0, "timestamp": invented.T},
    )
    system.put("ledger", entry.value, key=entry.key, partition=1)
    campaign = jsonl(tmp_path / "c.jsonl", [send("yes"), send("no"), send("other"), again])
    done = run("check", campaign, "--at", AT, "--json")
    assert done.code == 1
    assert {one["primary"]: one["sends"] for one in done.json["funnel"]} == {
        None: 1,
        "DUPLICATE_SEND": 1,
        "SUBJECT_OBJECTED": 1,
        "FACTS_UNAVAILABLE": 1,
    }
    assert done.json["facts"] == system.settings.bootstrap
    assert done.json["unreadable_facts"] == [{"where": "consents/1/0", "fault": "not_json"}]
    assert system.records("sends") == []
