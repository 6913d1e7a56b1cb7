"""The main job on real Kafka, with the worker in this process."""

import asyncio
import itertools
import os

import orjson
import pytest

from gatekeeper.knowledge.store import FactStore
from streams.kafka import node
from tests.support import forked, staff
from tests.support.world import World, eventually, send_to, until


@pytest.fixture
def world(kafka, prefix) -> World:
    return World(kafka.bootstrap, prefix, partitions=2).create()


NINE = "t1k9_" + "A" * 43
"""A token under a key that nobody holds."""


def test_one_record_of_an_attacker_then_whom_it_may_concern_waits_for_two_managers(world, tmp_path):
    port = str(node.free_port())
    world.put("reference", [("controller/C2", {"v": 1, "kind": "controller", "id": "C2", "name": "あおば通販"})])
    world.people(["r1"])
    given = itertools.count()

    def decided(**more) -> tuple[str, str | None]:
        name = f"e-{next(given)}"
        world.put("sends", [("r1", send_to("r1", name.removeprefix("e-"), **more))])
        return until(lambda: world.verdicts().get(name), name)

    def status() -> tuple[int, dict]:
        env = {**os.environ, **world.environment, "GATEKEEPER_HTTP_PORT": port}
        found = forked.run("status", "--json", env=env)
        return found.returncode, orjson.loads(found.stdout)

    def resolve(place: str, by: str) -> int:
        words = ("deadletter", "resolve", place, "--by", by, "--reason", "entered again")
        keys = {"GATEKEEPER_USER": by, "GATEKEEPER_USER_KEY": staff.key_file(by)}
        return forked.run(*words, env={**os.environ, **world.environment, **keys}).returncode

    def placed(topic: str, value: bytes) -> str:
        return next(f"{topic}/{m.partition()}/{m.offset()}" for m in world.read(topic) if m.value() == value)

    unknown = ("block", "FACTS_UNAVAILABLE")
    with world.process(tmp_path / "log", http_port=port):
        assert decided() == ("clear", None)
        for name in ("controller/C1", "purpose/mkt.dm.own", "template/T1", "policy/jp-pmark", "?"):
            world.put("reference", [(name, b"{}")])
        assert decided() == ("clear", None), "nobody signed them"
        until(lambda: len(world.read("deadletter")) == 5, "their dead letters")
        code, told = status()
        assert (code, told["findings"]) == (1, ["facts_unreadable"])
        assert {one["withholds"] for one in told["withholding"]} == {"nobody"}

        stop = {"v": 1, "kind": "objection", "suppression_id": "x9", "token": NINE, "received_at": "2026-01-01"}
        world.put("suppressions", [(NINE, stop | {"scope": {"controller": "C2"}})])
        assert decided() == ("clear", None), "it is about sends of C2"
        assert decided(controller_id="C2") == unknown
        code, told = status()
        (first, *_) = told["withholding"]
        assert (code, first["withholds"], first["companies"]) == (1, "companies", ["C2"])
        assert {"withheld_widely", "token_key_missing"} <= {*told["findings"]}
        assert resolve(first["record"], "hanako") == 1
        assert decided(controller_id="C2") == unknown, "one manager passes nothing"
        assert resolve(first["record"], "taro") == 0
        assert decided(controller_id="C2") != unknown

        world.put("consents", [("r1", b'{"v":1,"kind":"consent","state":"Withd')])
        assert decided() == unknown, "a withdrawal of that person that nobody can read"
        until(lambda: len(world.read("deadletter")) == 6, "its dead letter")
        (named,) = [one for one in status()[1]["withholding"] if one["withholds"] == "named"]
        assert resolve(named["record"], "hanako") == 0
        assert decided() == ("clear", None)

        world.put("consents", [(None, b"nobody's")])
        assert decided() == unknown, "it may be anybody's withdrawal"
        until(lambda: len(world.read("deadletter")) == 7, "its dead letter")
        place = placed("consents", b"nobody's")
        assert [status()[1]["withholding"][0][name] for name in ("record", "withholds")] == [place, "everybody"]
        assert resolve(place, "hanako") == 1
        assert decided() == unknown
        assert resolve(place, "taro") == 0
        assert decided() == ("clear", None)
        for one in world.read("reference"):
            if one.value() == b"{}":
                assert resolve(f"reference/0/{one.offset()}", "hanako") == 0
        assert status()[1]["findings"] == []
    world.check(next(given))


@pytest.mark.main
def test_a_defect_on_some_records_then_those_are_withheld_and_many_alarm(world, monkeypatch):
    """The defect is planted: a view of the facts that raises for one person."""
    world.people(["r1", "bad"])
    view = FactStore.view

    def defective(self, sent, *more, **named):
        if sent.recipient_id == "bad":
            raise ZeroDivisionError("山田 花子")
        return view(self, sent, *more, **named)

    monkeypatch.setattr(FactStore, "view", defective)
    world.put("sends", [("r1", send_to("r1", 0)), ("bad", send_to("bad", 1)), ("r1", send_to("r1", 2))])

    async def run() -> None:
        async with world.worker() as app:
            await eventually(lambda: len(world.audits()) == 3, "all sends")
            assert app.gate.readiness()["decisions_failing"] == []
            world.put("sends", (("bad", send_to("bad", f"many-{i}")) for i in range(20)))
            world.put("sends", [("r1", send_to("r1", "after"))])
            await eventually(lambda: len(world.audits()) == 24, "all sends")
            failing = app.gate.readiness()
            assert (len(failing["decisions_failing"]), failing["ready"]) == (1, True)

    asyncio.run(run())
    world.check(24)
    verdicts = world.verdicts()
    assert (verdicts["e-1"], verdicts["e-after"]) == (("block", "DECISION_FAILED"), ("clear", None))
    assert not any("花子".encode() in m.value() for m in world.read("audit"))
