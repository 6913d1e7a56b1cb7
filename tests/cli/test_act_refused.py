"""A command that writes an act tells the worker's answer: a refusal is never a happy sentence with exit 0."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from streams.kafka.broker import Broker
from tests.cli.conftest import Run
from tests.support import staff
from tests.support.world import World, group_keys, until


@pytest.fixture(scope="module")
def signed(kafka: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world of people with keys, and its worker."""
    folder = tmp_path_factory.mktemp("signed")
    world = World(kafka.bootstrap, f"t{uuid.uuid4().hex}.", partitions=2, max_lag=60.0).create()
    world.people(["r1", "r2"])
    with world.process(folder / "log"):
        yield world


@pytest.fixture
def as_(signed: World, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets who acts, with their own key."""
    for name, value in signed.environment.items():
        monkeypatch.setenv(name, value)

    def person(by: str) -> None:
        monkeypatch.setenv("GATEKEEPER_USER_KEY", staff.key_file(by))

    return person


REFUSED = {
    "erase": ("erase", "r1", "--reason", "asked by letter", "--yes"),
    "suspend": ("suspend", "C1", "--reason", "incident 7"),
    "quarantine": ("source", "quarantine", "B1", "--reason", "stolen"),
    "activate": ("policy", "activate", "strictest@4", "--from", "now", "--yes"),
    "tail": ("tail", "sends", "--raw", "--from-beginning", "--no-follow"),
}
"""Commands of which the worker refuses the act of a reviewer."""


@pytest.mark.parametrize("kind", REFUSED)
def test_an_act_that_the_worker_refuses_then_exit_1_with_its_reason(
    run: Run, signed: World, as_: Any, kind: str
) -> None:
    signed.put("reference", [("batch/B1", {"v": 1, "kind": "batch", "id": "B1"})])
    as_("kenji")
    done = run(*REFUSED[kind], answered=True)
    assert done.code == 1, done
    assert "the worker refused the act: This act is not among the person's roles" in done.err
    assert not any(word in done.out for word in ("Erased", "suspended", "in force")), "no happy sentence"
    if kind == "tail":
        assert done.out == "", "nothing is shown"
    else:
        told = run(*REFUSED[kind], "--json", answered=True)
        assert (told.code, told.json["outcome"], told.json["code"]) == (1, "refused", "role")


@pytest.mark.parametrize("kind", ["handoff", "cancel"])
def test_an_act_on_a_campaign_that_the_worker_refuses_then_exit_1_and_no_file(
    run: Run, signed: World, as_: Any, kind: str, tmp_path: Path
) -> None:
    as_("kenji")
    out = tmp_path / "pieces.csv"
    words = {"handoff": ("handoff", "K-1", "--out", str(out)), "cancel": ("campaign", "cancel", "K-1", "--reason", "x")}
    done = run(*words[kind], "--json")
    assert (done.code, done.out, out.exists()) == (1, "", False), done
    assert "not among the person's roles" in done.err


def test_an_act_that_the_worker_records_then_exit_0_says_so(run: Run, signed: World, as_: Any) -> None:
    as_("yuki")
    done = run("erase", "r2", "--reason", "asked by letter", "--yes", "--json", answered=True)
    assert (done.code, done.json["outcome"], done.json["code"], done.json["partitions"]) == (0, "recorded", None, 2)
    back = run("readmit", "r2", "--reason", "joined again", "--evidence", "form-91", answered=True)
    assert (back.code, back.out) == (1, "")
    assert "not among the person's roles" in back.err
    as_("taro")
    assert run("readmit", "r2", "--reason", "joined again", "--evidence", "form-91", answered=True).code == 0
    assert run("suspend", "C1", "--reason", "incident 7", "--json", answered=True).json["outcome"] == "recorded"
    assert run("resume", "C1", "--reason", "incident 7 closed", answered=True).code == 0
    as_("kenji")
    told = run("withdraw", "r1", "--json", answered=True)
    assert (told.code, told.json["outcome"]) == (0, "recorded")


def test_withdrawal_entered_by_somebody_who_may_not_then_it_binds_and_exit_is_1(
    run: Run, signed: World, as_: Any
) -> None:
    as_("ami")
    done = run("withdraw", "r1", answered=True)
    assert (done.code, "Acknowledged: binding from now" in done.out) == (1, True)
    assert "not among the person's roles" in done.err


def test_no_worker_answers_then_exit_3_says_where_to_look(
    run: Run, kafka: Broker, prefix: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    keys = group_keys(tmp_path / "keys", f"{prefix}gk")
    world = World(kafka.bootstrap, prefix, partitions=2, max_lag=60.0, keys=keys).create()
    for name, value in world.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("GATEKEEPER_USER", "hanako")
    monkeypatch.setenv("GATEKEEPER_LOG", str(tmp_path / "log"))
    done = run("withdraw", "r1", "--wait", "0.5", "--json", answered=True)
    assert (done.code, json.loads(done.out)["outcome"]) == (3, None)
    assert "no worker answered within 0.5 s" in done.err
    (place,) = [word for word in done.err.replace("`", " ").split() if len(word) == 26]
    with world.process(tmp_path / "worker"):
        until(lambda: world.outcomes(), "the answer")
    looked = run("audit", "explain", place, "--json")
    assert looked.code == 0, looked
    assert "withdraw" in looked.out
