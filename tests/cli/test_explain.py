"""`gatekeeper audit explain` on a running system: by each of the three names, through hand-off and recall."""

from __future__ import annotations

import csv
from pathlib import Path

import orjson
import pytest

from gatekeeper.audit.explanation.trail_search import TrailSearch
from gatekeeper.ground.settings import load
from schemas.codec import encode
from streams.kafka.broker import Broker
from streams.operations.erasures import stops
from tests.cli.conftest import Run, never, read_model
from tests.support.world import World, consent_of, group_keys, send_to, until

HOME = {"name": "金糸雀 迦奈", "postcode": "100-0000", "lines": ["見本町1-2-3", "青葉荘"]}


def test_code_from_the_print_house_then_the_page_tells_why_the_letter_came(
    run: Run, kafka: Broker, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = group_keys(tmp_path / "keys", f"{prefix}gk")
    world = World(kafka.bootstrap, prefix, partitions=2, keys=keys).create()
    for name, value in {**world.environment, "GATEKEEPER_USER": "hanako", "GATEKEEPER_LANG": "en"}.items():
        monkeypatch.setenv(name, value)
    world.people(["p1"], home=HOME)
    world.people(["p2"])
    with world.process(tmp_path / "log"):
        world.put(
            "sends",
            [("p1", send_to("p1", "p1", campaign_id="K", delivery=HOME)), ("p2", send_to("p2", "p2", campaign_id="K"))],
        )
        until(lambda: len(world.read("cleared")) == 2, "both cleared")
        assert run("handoff", "K", "--out", str(tmp_path / "out.csv")).code == 0
        world.put("consents", [("p1", consent_of("p1", "Withdrawn", channels="*"))])
        until(lambda: len(world.read("recalls")) == 1, "one called back")
    page = run("audit", "explain", "e-p1").out
    assert "not yet sealed" in page
    monkeypatch.setenv("GATEKEEPER_LOG", str(tmp_path / "sealed"))
    assert run("audit", "seal", "--once").code == 0
    assert run("audit", "witness", "--once", "--first", "--state", str(tmp_path / "witness")).code == 0
    assert run("audit", "seal", "--once").code == 0
    assert run("audit", "export", "--out", str(tmp_path / "export")).code == 0
    with (tmp_path / "out.csv").open(encoding="utf-8-sig", newline="") as handle:
        row = next(row for row in csv.DictReader(handle) if row["recipient_id"] == "p1")
    pages = [run("audit", "explain", asked).out for asked in (row["inquiry_code"], row["decision_id"], "e-p1")]
    pages.append(run("audit", "explain", "e-p1", str(tmp_path / "export")).out)
    assert pages[0] == pages[1] == pages[2]
    assert "purpose News" in pages[0]
    assert pages[0].replace("purpose News", "purpose mkt.dm.own") == pages[3], "an export has codes in place of names"
    monkeypatch.setenv("GATEKEEPER_DATA", str(tmp_path / "console"))
    read_model(load())  # a console has read all of this: its places replace the walk through the trail
    walk = TrailSearch.found
    monkeypatch.setattr(TrailSearch, "found", never)
    asked = (row["inquiry_code"], row["decision_id"], "e-p1")
    assert [run("audit", "explain", one).out for one in asked] == pages[:3]
    monkeypatch.setattr(TrailSearch, "found", walk)
    said = [
        "Cleared: no reason to withhold it",
        "hand-off to the print house",
        "CONSENT_WITHDRAWN",
        "Seal: leaf",
        "A witness cosigned it at",
    ]
    assert [one for one in said if one not in pages[0]] == []
    assert [one for one in (*HOME["lines"], "金糸雀", '"p1"', "T" * 5) if one in pages[0]] == []
    done = run("letter", row["inquiry_code"], "--out", str(tmp_path / "answer.html"), "--json")
    assert (done.code, done.json["letters"]) == (0, 1)
    letter = (tmp_path / "answer.html").read_text("utf-8")
    told = ("Dear customer", row["inquiry_code"], "we arranged to call it back")
    assert [one for one in told if one not in letter] == []
    assert [one for one in (*HOME["lines"], "金糸雀", "p1", row["decision_id"]) if one in letter] == []
    assert "1,095 days" in run("letter", "nobody", "--out", str(tmp_path / "no.html")).says(2)
    assert pages[0].count("Now, by these records: Called back at") == 1
    told = run("audit", "explain", row["inquiry_code"].lower(), "--json").json
    (piece,), (state,) = told["pieces"], told["states"]
    assert state == {"kind": "recalled_late", "at": piece[-1]["at"], "did": piece[-1]["decision_id"]}
    assert [one["stage"] for one in piece] == ["intake", "handoff", "recall"]
    code = row["inquiry_code"]
    wrong = code[:-1] + ("A" if code[-1] != "A" else "B")
    assert "misread" in run("audit", "explain", wrong).says(2)
    assert "1,095 days" in run("audit", "explain", "nobody").says(2)
    run("audit", "explain", "e-p1", str(tmp_path)).says(4)
    (stop,) = stops("p1", [], act_id="a" * 32, at="2026-11-24T10:00:00+09:00")
    world.put("suppressions", [("p1", orjson.loads(encode(stop)))])
    read_model(load())
    assert "was erased" in run("letter", code, "--out", str(tmp_path / "erased.html")).says(2)
    assert not (tmp_path / "erased.html").exists()
