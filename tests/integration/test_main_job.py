"""The main job on real Kafka, by the commands, with the worker in a process of its own; and that worker killed."""

from __future__ import annotations

import csv
import gzip
import os
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest

from gatekeeper.ground.partitioner import partition_of
from streams.kafka.broker import Broker
from streams.operations.coverage import check
from tests.support import forked
from tests.support.world import World, consent_of, group_keys, health_page, send_to, source_of, until

pytestmark = pytest.mark.main

AGREED = [f"r{number}" for number in range(30)]
CHILD = {"birth_date": "2015-06-05"}


def of_campaign(*names: str) -> list[dict[str, Any]]:
    return [send_to(name, name, campaign_id="spring") for name in names]


def test_a_campaign_from_publication_to_the_seal_then_it_verifies_offline(
    kafka: Broker, prefix: str, tmp_path: Path
) -> None:
    keys = group_keys(tmp_path / "keys", f"{prefix}gk")
    world = World(kafka.bootstrap, prefix, partitions=2, keys=keys, data=str(tmp_path / "data")).create().may_ask()
    ours = {"GATEKEEPER_LOG": str(tmp_path / "log"), "GATEKEEPER_LANG": "en"}

    def gatekeeper(*words: str | Path, code: int = 0, **settings: str) -> str:
        done = forked.run(*words, env=os.environ | world.environment | ours | settings)
        assert done.returncode == code, done
        return done.stdout

    world.people(AGREED)
    world.people(["young", "younger", "withdrew"], may_be_minor=True)
    world.put("sources", [("unasked", source_of("unasked")), ("child", source_of("child", **CHILD))])
    world.put("consents", [("child", consent_of("child"))])
    world.put("consents", [("withdrew", consent_of("withdrew", "Withdrawn"))])
    people = [*AGREED, "young", "younger", "unasked", "child", "withdrew", "stranger"]
    file = tmp_path / "spring.jsonl"
    file.write_bytes(b"\n".join(map(orjson.dumps, of_campaign(*people))))
    with world.process(tmp_path / "worker.log"):
        gatekeeper("publish", file)
        until(lambda: len(world.verdicts()) == len(people), "decisions")
        assert Counter(verdict for verdict, _ in world.verdicts().values()) == {
            "clear": 30, "review": 2, "confirm": 1, "block": 3,
        }  # fmt: skip
        assert world.verdicts()["e-withdrew"] == ("block", "CONSENT_WITHDRAWN")

        items = world.items()
        world.act("release", items["e-young"], act_id="release")
        world.act("uphold", items["e-younger"], act_id="uphold")
        world.act("ask", items["e-unasked"], act_id="ask")
        world.act("release", items["e-withdrew"], act_id="against-the-will", evidence_ref="x")
        until(lambda: len(world.outcomes()) == 4, "an answer to each act")
        assert world.outcomes() == {
            "release": ("cleared", None), "uphold": ("upheld", None), "ask": ("asked", None),
            "against-the-will": ("refused", "hard"),
        }  # fmt: skip
        (question,) = world.read("confirmations")
        assert question.key() == b"unasked"

        world.put("consents", [("r0", consent_of("r0", "Withdrawn"))])  # acknowledged before the hand-off
        gatekeeper("handoff", "spring", "--out", tmp_path / "out.csv")
        with (tmp_path / "out.csv").open(encoding="utf-8-sig", newline="") as handle:
            rows = {row["recipient_id"]: row for row in csv.DictReader(handle)}
        assert sorted(rows) == sorted([*AGREED[1:], "young"])
        again = send_to("r0", "r0-again")
        world.put("sends", [("r0", again), ("r1", {**of_campaign("r1")[0], "event_id": "e-r1-again"})])
        until(lambda: {"e-r0-again", "e-r1-again"} <= world.verdicts().keys(), "the last decisions")
        assert world.verdicts()["e-r0-again"] == ("block", "CONSENT_WITHDRAWN")
        assert world.verdicts()["e-r1-again"] == ("block", "DUPLICATE_SEND")
        (recall,) = world.read("recalls")
        assert recall.key() == b"r0"

        code = rows["r1"]["inquiry_code"]
        page = gatekeeper("audit", "explain", code)
        assert page == gatekeeper("audit", "explain", rows["r1"]["decision_id"])
        told = ("Cleared: no reason to withhold it", "hand-off to the print house", "not yet sealed")
        assert [one for one in told if one not in page] == []
        gatekeeper("letter", code, "--out", tmp_path / "answer.html")
        assert code in (tmp_path / "answer.html").read_text("utf-8")

    world.check(len(people) + 2)
    sent = {message.value() for message in world.read("sends")}
    assert {message.value() for message in world.read("cleared")} <= sent, "a cleared send is what was published"
    for words in (("coverage",), ("seal", "--once"), ("export", "--out", tmp_path / "export")):
        gatekeeper("audit", *words)
    offline = {"GATEKEEPER_BROKER": "127.0.0.1:1", "GATEKEEPER_KEYS": str(tmp_path / "no-keys")}
    gatekeeper("audit", "verify", tmp_path / "export", **offline)
    told = orjson.loads(gatekeeper("audit", "replay", tmp_path / "export", "--json", **offline))
    assert (told["findings"].keys() <= {"same", "silent"}, told["records"]) == (True, len(world.read("audit"))), told
    records = next((tmp_path / "export").rglob("records.ndjson.gz"))
    data = gzip.decompress(records.read_bytes())
    assert b'"clear"' in data
    records.write_bytes(gzip.compress(data.replace(b'"clear"', b'"block"', 1)))
    gatekeeper("audit", "verify", tmp_path / "export", code=1, **offline)


def test_a_worker_killed_amid_sends_and_poison_then_one_decision_and_record_each(
    kafka: Broker, prefix: str, tmp_path: Path
) -> None:
    world = World(kafka.bootstrap, prefix, partitions=2, data=str(tmp_path / "data")).create()
    names = [f"r{number}" for number in range(400)]
    world.people(names)
    poison = (b"{", b"\xff" * 2_000, b" " * 900_000, b'{"v":1}')
    where = partition_of(b"r0", world.partitions)
    with world.process(tmp_path / "log") as worker:
        world.sends(names)
        until(lambda: len(world.audits()) > 20, "the first decisions")
        worker.kill()
        killed = len(world.audits())
        world.put("sends", [("r0", value) for value in poison])
        world.sends(names, len(names))
        worker.start()
        count = 2 * len(names) + len(poison)
        until(lambda: len(world.audits()) == count, "all of them, on both partitions")
        port = worker.events("worker_started")[0]["port"]
        assert health_page(port, "readyz")[0] == 200
    assert 20 < killed < count
    assert [one.findings for one in check(world.settings) if one.findings] == [], "every input is accounted for"
    assert world.check(count) == {"clear": 2 * len(names), "block": len(poison)}
    letters = [dict(message.headers())["gate-source"] for message in world.read("deadletter")]
    assert len(letters) == len(poison)
    assert {letter.rpartition(b"/")[0] for letter in letters} == {b"sends/%d" % where}
