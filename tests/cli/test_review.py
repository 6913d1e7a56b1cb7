"""`gatekeeper review` with a worker that answers: each act once, each outcome in a sentence, nothing done twice."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from gatekeeper.ground.atomic_store import AtomicStore
from gatekeeper.ground.settings import load
from streams.operations import reviews
from tests.cli.conftest import Outcome, Run, never, read_model
from tests.support.world import Supervised, World, day, home_of, send_to, source_of, until

REASON = ("--reason", "looked at the form", "--evidence", "scan-9", "--yes")
UNPROVEN = ("--reason", "looked at the form", "--yes")


def publish(world: World, names: list[str], campaign: str, **more: Any) -> list[str]:
    """Publishes a piece to each and waits until they are items; returns their ids in the order of names."""
    world.put("sends", ((name, send_to(name, f"{campaign}-{name}", campaign_id=campaign, **more)) for name in names))
    return until(lambda: items(world, names, campaign), "items")


def items(world: World, names: list[str], campaign: str) -> list[str]:
    found = world.items()
    events = [f"e-{campaign}-{name}" for name in names]
    return [found[event]["decision_id"] for event in events] if found.keys() >= {*events} else []


def young(world: World, campaign: str, count: int = 1, **more: Any) -> list[str]:
    """People who may be minors: a reviewer may release what is sent to them."""
    names = [f"{campaign}-{number}" for number in range(count)]
    world.people(names, may_be_minor=True)
    return publish(world, names, campaign, **more)


def lines(done: Outcome) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.out.splitlines()]


def one(done: Outcome) -> dict[str, Any]:
    (line,) = lines(done)
    return line


def cleared(world: World, campaign: str) -> list[str]:
    return [
        sent["recipient_id"]
        for m in world.read("cleared")
        if (sent := json.loads(m.value()))["campaign_id"] == campaign
    ]


@pytest.mark.main
def test_a_release_with_evidence_then_it_is_cleared_once_and_the_item_says_by_whom(
    run: Run, world: World, campaign: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.people([campaign], may_be_minor=True)
    (id_,) = publish(world, [campaign], campaign, mail_date=day(3))
    assert lines(run("review", "list", "--filter", f"campaign={campaign}"))[0]["reasons"] == ["AGE_UNCERTAIN"]
    refused = run("review", "release", id_, *UNPROVEN)
    assert (refused.code, one(refused)["code"]) == (1, "evidence")
    assert "--evidence" in one(refused)["message"]
    done = run("review", "release", id_, *REASON)
    assert (done.code, one(done)["outcome"], done.err) == (0, "cleared", "")
    assert cleared(world, campaign) == [campaign]
    again = run("review", "release", id_, *REASON)
    assert (again.code, one(again)["code"]) == (1, "closed")
    assert cleared(world, campaign) == [campaign]
    shown = one(run("review", "show", id_))
    assert (shown["state"], shown["by"]) == ("released", "hanako")
    (act,) = shown["acts"]
    assert (act["kind"], act["outcome"], act["evidence"]) == ("release", "cleared", "scan-9")
    assert act["reason"] == "looked at the form"
    assert run("review", "list", "--filter", f"campaign={campaign}").out == ""
    released = ("list", "--filter", f"campaign={campaign}&state=released")
    assert one(run("review", *released))["decision_id"] == id_

    views = (("show", id_), released)
    told = [run("review", *words) for words in views]
    monkeypatch.setenv("GATEKEEPER_DATA", str(tmp_path))
    read_model(load())  # a console has read all of this, and the topics are not read for it again
    whole = reviews.read
    monkeypatch.setattr(reviews, "read", never)
    assert [run("review", *words) for words in views] == told
    assert run("review", "list", "--filter", f"campaign={campaign}").out == ""

    (late,) = young(world, f"{campaign}-late")  # no console reads it, so the command does
    assert one(run("review", "list", "--filter", f"campaign={campaign}-late"))["decision_id"] == late
    with AtomicStore(tmp_path / "index").alone():  # a console that is far behind
        monkeypatch.setattr(reviews, "read", whole)
        (later,) = young(world, f"{campaign}-later")
        assert one(run("review", "list", "--filter", f"campaign={campaign}-later"))["decision_id"] == later


def test_a_hard_item_then_its_release_is_refused_and_nothing_is_written(run: Run, world: World, campaign: str) -> None:
    (id_,) = publish(world, [campaign], campaign)
    before = world.ends("acts")
    done = run("review", "release", id_, *REASON)
    assert (done.code, one(done)["code"]) == (1, "hard")
    assert "review show" in one(done)["message"]
    assert world.ends("acts") == before
    shown = run("review", "show", id_, "--table")
    assert shown.code == 0
    assert all(part in shown.out for part in ("SOURCE_UNKNOWN", "J.8.7", "may be mended", "Nothing was done"))
    assert "例 花子" not in shown.out


def test_a_wrong_id_then_it_is_told_and_the_right_one_is_done(run: Run, world: World, campaign: str) -> None:
    (id_,) = young(world, campaign)
    done = run("review", "uphold", "A" * 26, id_, *REASON)
    assert done.code == 1
    assert [(row["id"], row["outcome"], row["code"]) for row in lines(done)] == [
        ("A" * 26, "refused", "item_unknown"),
        (id_, "upheld", None),
    ]
    assert "60 days" in run("review", "show", "A" * 26).says(2)


def test_the_same_call_again_then_nothing_is_written_twice(run: Run, world: World, campaign: str) -> None:
    (id_,) = young(world, campaign)
    call = ("review", "release", id_, *REASON, "--run", campaign)
    assert one(run(*call))["outcome"] == "cleared"
    before = world.ends("acts")
    again = run(*call)
    assert (again.code, one(again)["outcome"]) == (0, "cleared")
    on = run("review", "release", *REASON, "--run", campaign)
    assert (on.code, one(on)["id"], one(on)["outcome"]) == (0, id_, "cleared")
    assert world.ends("acts") == before
    assert cleared(world, campaign) == [f"{campaign}-0"]


@pytest.mark.main
def test_a_bulk_above_the_threshold_then_another_person_approves_all_of_it_at_once(
    run: Run, world: World, campaign: str
) -> None:
    ids = young(world, campaign, 120)
    first = run("review", "release", *ids[:60], *REASON, "--run", campaign)
    assert Counter(row["outcome"] for row in lines(first)) == {"cleared": 60}
    assert "1 of 2" not in first.err
    # what the run did before counts: 120 in two calls are 120
    rest = run("review", "release", *ids[60:], *REASON, "--run", campaign)
    assert rest.code == 0
    assert Counter(row["outcome"] for row in lines(rest)) == {"cleared": 60, "waiting": 60}
    assert "More than 100 at once take two people" in rest.err
    assert len(cleared(world, campaign)) == 60
    assert {act.bulk for act in acts(world, campaign)} == {60, 120}
    listed = lines(run("review", "list", "--filter", f"run={campaign}&state=proposed"))
    assert {item["decision_id"] for item in listed} == {*ids[60:]}
    same = run("review", "approve", "--filter", f"run={campaign}", "--yes")
    assert same.code == 1
    assert {row["code"] for row in lines(same)} == {"same_person"}
    run("review", "undo", ids[60], *REASON)
    other = run("review", "approve", "--filter", f"run={campaign}", "--by", "taro", "--yes")
    assert other.code == 0
    assert Counter(row["outcome"] for row in lines(other)) == {"cleared": 59}
    assert len(cleared(world, campaign)) == len({*cleared(world, campaign)}) == 119


def acts(world: World, run: str) -> list[Any]:
    """Returns what the audit says of a run's acts."""
    return [a.act for a in world.acted().values() if a.act and (a.act.act_id or "").startswith(f"{run}.")]


@pytest.mark.main
def test_an_ask_then_the_person_is_asked_once(run: Run, world: World, campaign: str) -> None:
    world.put("sources", [(campaign, source_of(campaign))])
    (id_,) = publish(world, [campaign], campaign)
    assert one(run("review", "ask", id_))["outcome"] == "asked"
    assert one(run("review", "show", id_))["state"] == "asked"
    again = run("review", "ask", id_)
    assert (again.code, one(again)["code"]) == (1, "closed")


def test_no_worker_then_exit_5_says_how_to_go_on_and_going_on_does_nothing_twice(
    run: Run, office: tuple[World, Supervised], world: World, campaign: str
) -> None:
    ids = young(world, campaign, 2)
    worker = office[1]
    worker.stop()
    try:
        done = run("review", "uphold", *ids, *REASON, "--wait", "0.5", "--run", campaign)
        assert done.code == 5
        assert [row["outcome"] for row in lines(done)] == [None, None]
        assert f"--run {campaign}" in done.err
        waiting = one(run("review", "show", ids[0]))
        assert (waiting["state"], waiting["acts"][0]["outcome"]) == ("open", None)
        assert run("review", "uphold", *ids, *REASON, "--no-wait", "--run", campaign).code == 0
        before = world.ends("acts")
    finally:
        worker.start()
    on = run("review", "uphold", *REASON, "--run", campaign)
    assert on.code == 0
    assert {row["id"]: row["outcome"] for row in lines(on)} == dict.fromkeys(ids, "upheld")
    assert world.ends("acts") == before


def test_a_wrong_call_then_one_sentence_says_what(run: Run, world: World) -> None:
    for arguments, says in (
        (("release", "A" * 26), "--reason is missing"),
        (("release", "--reason", "x"), "--filter"),
        (("uphold", "A" * 26, "--reason", "x", "--by", "花子"), "--by"),
        (("list", "--filter", "colour=red"), "older_than"),
    ):
        done = run("review", *arguments)
        assert (done.code, done.out, says in done.err, "Traceback" in done.err) == (2, "", True, False)


def test_a_list_as_a_table_then_the_nearest_mail_date_is_first(run: Run, world: World, campaign: str) -> None:
    late, soon, none = (
        young(world, f"{campaign}-{after}", mail_date=after and day(after))[0] for after in (20, 5, None)
    )
    shown = run("review", "list", "--table", "--filter", f"campaign={campaign}-20,{campaign}-5,{campaign}-None")
    header, *rows = shown.out.splitlines()
    assert [row.split()[0] for row in rows] == [soon, late, none]
    assert f"{day(5)} (" in rows[0]
    assert "mail date" in header
    assert shown.err == ""


@pytest.mark.main
def test_a_department_accepted_with_evidence_then_the_piece_is_cleared(run: Run, world: World, campaign: str) -> None:
    world.people([campaign])
    home = home_of(campaign)
    at_work = {**home, "lines": [*home["lines"], "営業部"]}
    (id_,) = publish(world, [campaign], campaign, delivery=at_work)
    assert lines(run("review", "list", "--filter", f"campaign={campaign}"))[0]["reasons"] == ["PRINT_UNACCOUNTED"]
    done = run("review", "accept-print", id_, "--evidence", "memo-1", "--by", "kenji", "--yes", "--json")
    assert (done.code, one(done)["by"]) == (0, "kenji")
    until(lambda: run("review", "redecide", id_, "--yes", "--reason", "accepted").code == 0, "a clear answer")
    assert cleared(world, campaign) == [campaign]

    elsewhere = {**home, "lines": [*home["lines"], "転送先 大阪府大阪市北区梅田4-5-6"]}
    (other,) = publish(world, [campaign], f"{campaign}-b", delivery=elsewhere)
    refused = run("review", "accept-print", other, "--evidence", "memo-1", "--by", "kenji", "--yes")
    assert refused.code == 2
    assert "梅田" not in refused.err
