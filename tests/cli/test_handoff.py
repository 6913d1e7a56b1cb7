"""A campaign handed to the print house, called back, and held against what was sent; with a worker that answers."""

from __future__ import annotations

import csv
import stat
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Outcome, Run
from tests.support.world import Supervised, World, consent_of, home_of, send_to, until

CANARIES = ("金糸雀", "青葉荘")


def home(name: str) -> dict[str, Any]:
    """Returns a person's name and address, with words that must not leak."""
    return {"name": "金糸雀 迦奈", "postcode": "100-0000", "lines": [*home_of(name)["lines"], "青葉荘"]}


def cleared(world: World, campaign: str, count: int) -> list[str]:
    """Publishes a piece to so many people, waits until all are cleared, and returns who they are."""
    names = [f"{campaign}-{number}" for number in range(count)]
    for name in names:
        world.people([name], home=home(name))
    world.put("sends", ((name, send_to(name, name, campaign_id=campaign, delivery=home(name))) for name in names))
    until(lambda: len(of(world, "cleared", campaign)) == count, "all cleared")
    return names


def of(world: World, topic: str, campaign: str) -> list[Any]:
    return [m for m in world.read(topic) if f'"{campaign}"'.encode() in (m.value() or b"")]


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8-sig", newline="") as handle:
        return list(csv.DictReader(handle))


def withdrawn(world: World, names: list[str]) -> None:
    no = {"state": "Withdrawn", "channels": "*"}
    world.put("consents", ((name, consent_of(name, **no)) for name in names))


@pytest.mark.main
def test_some_withdrew_then_the_file_has_the_others_and_a_second_run_adds_nothing(
    run: Run, world: World, campaign: str, tmp_path: Path
) -> None:
    names = cleared(world, campaign, 20)
    withdrawn(world, names[:3])
    out = tmp_path / "out.csv"
    done = run("handoff", campaign, "--out", str(out), "--json")
    assert (done.code, done.err) == (0, "")
    told = done.json
    assert (told["written"], told["again"]) == (17, 0)
    written = rows(out)
    assert sorted(row["recipient_id"] for row in written) == sorted(names[3:])
    ids = {dict(m.headers())["gate-decision-id"].decode() for m in of(world, "cleared", campaign)}
    assert {row["decision_id"] for row in written} < ids
    codes = {m.key().decode(): dict(m.headers())["gate-inquiry"].decode() for m in of(world, "cleared", campaign)}
    assert {row["recipient_id"]: row["inquiry_code"] for row in written} == {name: codes[name] for name in names[3:]}
    first = written[0]
    assert (first["name"], first["postcode"], first["line_1"], first["line_2"], first["line_3"]) == (
        "金糸雀 迦奈", "100-0000", *home(first["recipient_id"])["lines"], "",
    )  # fmt: skip
    assert (first["obligations"], first["again"]) == ("MUST_PRINT_STOP_CONTACT", "")
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    recalls = of(world, "recalls", campaign)
    assert {m.key().decode() for m in recalls} == set(names[:3])
    assert all(b"CONSENT_WITHDRAWN" in m.value() for m in recalls)

    second = run("handoff", campaign, "--out", str(tmp_path / "second.csv"), "--json")
    assert (second.code, second.json["written"], rows(tmp_path / "second.csv")) == (0, 0, [])
    assert "--again" in second.err
    same = run("handoff", campaign, "--out", str(tmp_path / "same.csv"), "--run", told["run"], "--json")
    assert (same.code, (tmp_path / "same.csv").read_bytes()) == (0, out.read_bytes())
    again = run("handoff", campaign, "--out", str(tmp_path / "again.csv"), "--again", "--json")
    assert (again.json["written"], again.json["again"]) == (17, 17)
    assert {row["again"] for row in rows(tmp_path / "again.csv")} == {"yes"}

    slip = run("campaign", "show", f"{campaign}x")
    assert slip.code == 1
    assert f"{campaign}x" in slip.err
    shown = run("campaign", "show", campaign, "--expected", "20", "--json")
    assert shown.code == 0
    assert shown.json | {"refused_of_no_campaign": 0} == {  # other tests may have left some
        "campaign": campaign, "expected": 20, "decided": 20, "pieces": 20, "cleared": 20, "withheld": 0, "reasons": {},
        "refused": 0, "faults": {}, "refused_of_no_campaign": 0,
        "recalled": 3, "handed_off": 17, "recalled_after_hand_off": 0, "waiting_for_hand_off": 0, "done": True,
    }  # fmt: skip
    for topic in ("acts", "audit", "manifests", "ledger", "recalls"):
        written_bytes = b"".join((m.value() or b"") + str(m.headers()).encode() for m in world.read(topic))
        assert not [name for name in CANARIES if name.encode() in written_bytes], topic
    for said in (done, second, same, again, shown):
        assert not [name for name in CANARIES if name in said.out + said.err]


def test_file_or_run_of_another_then_nothing_is_done(run: Run, world: World, campaign: str, tmp_path: Path) -> None:
    before = world.ends("acts")
    there = tmp_path / "there.csv"
    there.write_text("addresses")
    assert str(there) in run("handoff", campaign, "--out", str(there)).says(2)
    assert there.read_text() == "addresses"
    run("handoff", campaign, "--out", str(tmp_path / "no" / "folder.csv")).says(3)
    assert "CAMPAIGN" in run("handoff", "山田 太郎", "--out", str(tmp_path / "x.csv")).says(2)
    assert world.ends("acts") == before
    assert list(tmp_path.iterdir()) == [there]
    made = run("handoff", campaign, "--out", str(tmp_path / "a.csv"), "--json")
    other = run("handoff", "another", "--out", str(tmp_path / "b.csv"), "--run", made.json["run"])
    assert campaign in other.says(2)


def test_cancel_then_all_that_is_cleared_is_recalled_once_also_what_was_handed_off(
    run: Run, world: World, campaign: str, tmp_path: Path
) -> None:
    names = cleared(world, campaign, 5)
    assert run("handoff", campaign, "--out", str(tmp_path / "out.csv")).code == 0
    assert "--yes" in run("campaign", "cancel", campaign, "--reason", "misprint").says(2)
    done = run("campaign", "cancel", campaign, "--reason", "misprint", "--yes", "--json")
    assert (done.code, done.json["recalled"]) == (0, 5)
    assert Counter(m.key().decode() for m in of(world, "recalls", campaign)) == dict.fromkeys(names, 1)
    again = run("campaign", "cancel", campaign, "--reason", "misprint", "--json")
    assert (again.code, again.json["recalled"]) == (0, 0), "nothing to be sure of"
    assert campaign in again.err
    shown = run("campaign", "show", campaign, "--json")
    assert (shown.code, shown.json["recalled_after_hand_off"], shown.json["done"]) == (0, 5, True)


def test_no_worker_meanwhile_then_the_same_run_goes_on_once_without_the_recalled(
    run: Run, office: tuple[World, Supervised], world: World, campaign: str, tmp_path: Path
) -> None:
    worker, late, off = office[1], f"{campaign}-late", f"{campaign}-off"
    names = {each: cleared(world, each, 4) for each in (late, off)}

    def handed(each: str, out: str, *more: str) -> Outcome:
        return run("handoff", each, "--run", f"r-{each}", "--out", str(tmp_path / out), *more)

    assert worker.stop() == 0
    try:
        said = handed(late, "late.csv", "--wait", "1").says(5)
        assert "0, 1" in said
        assert f"--run r-{late}" in said
        assert not (tmp_path / "late.csv").exists()
        handed(off, "off.csv", "--wait", "1").says(5)
        run("campaign", "cancel", off, "--reason", "misprint", "--yes", "--wait", "1").says(5)
        withdrawn(world, names[late][:2])
    finally:
        worker.start()
    done = handed(late, "late.csv", "--json")
    assert (done.code, done.json["written"]) == (0, 2)
    assert Counter(m.key().decode() for m in of(world, "recalls", late)) == dict.fromkeys(names[late][:2], 1)
    acts = [m for m in world.read("acts") if f'"act_id":"r-{late}"'.encode() in m.value()]
    assert sorted(m.partition() for m in acts) == [0, 1]
    done = handed(off, "off.csv", "--json")
    assert (done.code, done.json["written"], done.json["called_off"]) == (0, 0, True), "it was cancelled"
    assert Counter(m.key().decode() for m in of(world, "recalls", off)) == dict.fromkeys(names[off], 1)


@pytest.mark.main
def test_delivered_rows_then_each_that_is_not_right_is_told(
    run: Run, world: World, campaign: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = cleared(world, campaign, 4)
    out, sent, report = tmp_path / "out.csv", tmp_path / "sent.csv", tmp_path / "report.csv"
    assert run("handoff", campaign, "--out", str(out)).code == 0
    late = f"{campaign}-late"
    world.people([late])
    nobody = f"{campaign}-nobody"
    more = {"campaign_id": campaign}
    world.put("sends", [(late, send_to(late, late, **more)), (nobody, send_to(nobody, nobody, **more))])
    until(lambda: of(world, "review", campaign) and len(of(world, "cleared", campaign)) == 5, "two more decided")
    assert run("reconcile", str(out), "--json").code == 0
    with monkeypatch.context() as later:
        later.setattr("gatekeeper.cli.reconcile.KEPT_DAYS", -1)
        assert run("reconcile", str(out), "--json").json["findings"] == {"not_handed": 4}, "read no further back"
    lines = [f"{name},{campaign},postal" for name in (*names[:3], names[0], late, nobody, "stranger", "花子")]
    sent.write_text("recipient_id,campaign_id,channel\n" + "\n".join(lines) + "\n", "utf-8")
    done = run("reconcile", str(sent), "--out", str(report), "--json")
    assert done.code == 1
    assert {one["line"]: one["finding"] for one in done.json["found"]} == {
        5: "twice", 6: "not_handed", 7: "withheld", 8: "unknown", 9: "unreadable",
    }  # fmt: skip
    assert (done.json["rows"], done.json["right"], done.json["handed_and_not_sent"]) == (8, 3, 1)
    assert {row["finding"] for row in rows(report)} == {"twice", "not_handed", "withheld", "unknown", "unreadable"}
    for text in (done.out, report.read_text("utf-8"), run("reconcile", str(sent)).out):
        assert "花子" not in text
    sent.write_text("name\nx\n")
    assert "decision_id" in run("reconcile", str(sent)).says(2)
    run("reconcile", str(tmp_path / "none.csv")).says(2)
