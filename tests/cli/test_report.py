"""`gatekeeper report` over a world's traffic on real Kafka: its numbers are the world's, its proofs are checked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from streams.kafka.broker import Broker
from tests.cli.conftest import Run, System
from tests.support.world import World, consent_of, own_keys, send_to, until


def test_traffic_then_the_report_counts_it_and_its_proofs_hold(
    run: Run, kafka: Broker, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(kafka.bootstrap, prefix, partitions=2, keys=own_keys(tmp_path / "keys")).create().may_ask()
    for name, value in {**world.environment, "GATEKEEPER_USER": "hanako", "GATEKEEPER_LANG": "en"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("GATEKEEPER_LOG", str(tmp_path / "sealed"))
    assert run("keys", "init").code == 0
    begun = datetime.now(UTC) - timedelta(seconds=1)
    clear, young = [f"p{n}" for n in range(12)], [f"y{n}" for n in range(4)]
    world.people(clear)
    world.people(young, may_be_minor=True)
    with world.process(tmp_path / "log"):
        mail_date = (begun + timedelta(days=9)).isoformat()
        world.put("sends", [(name, send_to(name, name, campaign_id="K", mail_date=mail_date)) for name in clear])
        world.put("sends", [(name, send_to(name, name, campaign_id="K")) for name in (*young, "nobody")])
        until(lambda: world.decided() == 17, "all decided")
        items = world.items()
        world.act("release", items["e-y0"], act_id="both.0", bulk=2)
        world.act("release", items["e-y1"], act_id="both.1", bulk=2)
        world.act("uphold", items["e-y2"], act_id="u-2")
        until(lambda: len(world.outcomes()) == 3, "three acts answered")
        world.put("consents", [(name, consent_of(name, "Withdrawn", channels="*")) for name in ("p0", "p1")])
        until(lambda: len(world.read("recalls")) == 2, "two called back")
    for command in (("seal", "--once"), ("witness", "--first", "--once", "--state", str(tmp_path / "witness"))):
        assert run("audit", *command).code == 0
    ends = ("--from", begun.isoformat(), "--to", (datetime.now(UTC) + timedelta(seconds=2)).isoformat())
    found = run("report", *ends, "--json")
    assert found.code == 0
    report = found.json
    assert (found.err, report["signatures"]["acts"]) == ("", "signed")
    signed = {one["kind"]: one["key"] for one in report["acts"]["signed"]}
    assert signed["release"] == {"acts": 2, "by": ["hanako"]}
    assert (signed["uphold"]["acts"], report["acts"]["unproven"]) == (1, 0)
    assert report["sends"] == {
        "total": 17,
        "verdicts": {"clear": 12, "confirm": 0, "review": 4, "block": 1},
        "of_another": 0,
    }
    review = report["review"]
    assert (review["items"], review["decided"], review["open"]) == (5, 3, 2)
    (bulk,) = report["acts"]["bulks"]
    assert (bulk["run"], bulk["by"], bulk["said"], bulk["acts"], bulk["cleared"]) == ("both", ["hanako"], 2, 2, 2)
    assert report["recalls"] == [{"cause": "CONSENT_WITHDRAWN", "in_time": 2, "late": 0, "undated": 0}]
    assert (report["withdrawals"]["total"], report["withdrawals"]["bound"]) == (2, 2)
    covered = report["coverage"]
    assert sum(one["records"] for one in covered) == len(world.read("audit")) == 22
    assert sum(one["sealed"] for one in covered) == sum(one["manifests"] for one in covered) == report["seal"]["size"]
    assert not any(one["breaks"] or one["torn"] for one in covered)
    assert [one["state"] for one in report["samples"]] == ["witnessed"] * 5
    proof = tmp_path / "proof.json"
    proof.write_bytes(orjson.dumps(report["samples"][0]["proof"]))
    assert run("audit", "check", str(proof)).code == 0

    page = tmp_path / "report.html"
    assert run("report", *ends, "--out", str(page)).code == 0
    html = page.read_text("utf-8")
    assert [name for name in (*clear, *young) if f">{name}<" in html] == []
    assert "例 花子" not in html + found.out


def test_file_that_cannot_be_written_then_a_sentence(run: Run, system: System, tmp_path: Path) -> None:
    gone = tmp_path / "gone" / "report.html"
    run("report", "--from", "2026-11-01", "--to", "2026-11-30", "--out", str(gone)).says(3)
    assert not gone.exists()
