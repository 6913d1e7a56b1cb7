"""A lost cluster on real Kafka: backup under traffic, a new cluster, restore, and what the gate still knows."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka import TopicPartition
from kafka.admin import KafkaAdminClient

from gatekeeper.ground.settings import Settings
from schemas.topics import FACT_TOPICS, TOPICS
from streams.backup import group_positions
from streams.backup.group_positions import GroupPosition
from streams.backup.log_image import Frame
from streams.backup.log_rewriter import LogRewriter
from streams.client.reader import Reader, StoredReader
from streams.client.record_batch import Stored
from streams.kafka.broker import Broker
from tests.cli.conftest import Run
from tests.support import forked
from tests.support.service import question, service, withdrawal
from tests.support.world import NOTICE, World, consent_of, group_keys, send_to, source_of, until

CLEARED = [f"a{number}" for number in range(4)]


@pytest.fixture
def world(kafka: Broker, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A world with keys of its own."""
    monkeypatch.chdir(tmp_path)
    world = World(kafka.bootstrap, prefix, partitions=2, keys=group_keys(tmp_path / "keys", f"{prefix}gk"))
    for name, value in world.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("GATEKEEPER_LOG", str(tmp_path / "log"))
    return world.create()


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """An empty cluster, to restore to."""
    with Broker(tmp_path_factory.mktemp("other")) as broker:
        yield broker


def logs(settings: Settings) -> dict[tuple[str, int], tuple[int, list[Stored]]]:
    """Returns the start of each log, and each record with offset, time and bytes; without offsets if compacted."""
    found = {}
    with StoredReader(settings) as reader:
        for name, topic in TOPICS.items():
            starts, ends = reader.starts(name), reader.settled(name)
            for number, end in ends.items():
                records = [*reader.stored(name, partition=number, start=0, end=end)]
                if topic.keep_ms is None:
                    records = [one._replace(offset=0) for one in records]
                found[name, number] = (starts[number], records)
    return found


def ended(world: World, folder: Path, code: int = 2) -> str:
    """Returns what a worker says that does not start."""
    with world.process(folder / "refused.log") as worker:
        assert worker.wait() == code
        return worker.tail()


def codes(client: httpx.Client, person: str) -> set[str]:
    """Returns why the service withholds a piece; nothing if it would be cleared."""
    said = client.post("/access/v1/evaluation", json=question(person)).json()
    found = {reason["code"] for reason in said["context"].get("reasons", ())}
    assert said["decision"] is not bool(found)
    return found


def exchanged(key: Path) -> Callable[[], object]:
    """Puts another key under this number; the result puts the first one back."""
    kept = key.read_text()
    key.write_text("00" * 32)
    return lambda: key.write_text(kept)


def flipped(file: Path, place: int) -> Callable[[], object]:
    """Changes one bit of a file; the result changes it back."""
    raw = file.read_bytes()
    file.write_bytes(raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :])
    return lambda: file.write_bytes(raw)


def deleted(settings: Settings) -> None:
    """Deletes the topics of a system."""
    ours = {settings.topic(name) for name in TOPICS}
    with KafkaAdminClient(bootstrap_servers=settings.broker) as client:
        client.delete_topics([*ours & {*client.list_topics()}])
        until(lambda: not {*client.list_topics()} & ours, "no topics")


def interrupted(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Restores until the facts are there, and the first decisions are to be written."""
    whole, written = LogRewriter.write, list[object]()

    async def once(self: LogRewriter, wave: Mapping[TopicPartition, Frame]) -> None:
        if written:
            raise OSError
        written.append(wave)
        await whole(self, wave)

    with monkeypatch.context() as patched:
        patched.setattr(LogRewriter, "write", once)
        run("restore", "saved").says(3)


def test_lost_cluster_restored_then_withdrawals_clearances_and_seals_are_known(
    world: World, other: Broker, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.people([*CLEARED, "w", "late"])
    world.put("consents", [("w", consent_of("w", "Withdrawn"))])
    with world.transaction() as foreign:  # whose records no reader sees, and whose offsets count
        world.put("sends", [("late", send_to("late", "aborted"))], foreign)
        foreign.abort_transaction(30)
    world.sends([*CLEARED, "w"])
    endpoints, stood = (
        tmp_path / "endpoints.toml",
        GroupPosition(f"{world.prefix}print-house", "consents", 0, 1, "from there on"),
    )
    endpoints.write_text("# nobody yet\n")
    monkeypatch.setenv("GATEKEEPER_WEBHOOKS", str(endpoints))
    group_positions.commit(world.settings, [stood])
    settled = Reader.settled

    def busy(reader: Reader, topic: str) -> dict[int, int]:
        """The worker decides one more send while the backup asks for the ends of the logs."""
        if topic == "salts":
            world.sends(["late"], 9)
            until(lambda: "e-9" in world.verdicts(), "a send that is decided meanwhile")
        return settled(reader, topic)

    with world.process(tmp_path / "worker.log"):
        until(lambda: len(world.verdicts()) == 5, "decisions")
        assert run("audit", "seal", "--once").code == 0
        decided = world.verdicts()
        monkeypatch.setattr(Reader, "settled", busy)
        made = run("backup", "saved", "--json")
        monkeypatch.setattr(Reader, "settled", settled)
    assert made.code == 0, made
    lost = logs(world.settings)
    shutil.rmtree(tmp_path / "log")
    endpoints.unlink()

    monkeypatch.setenv("GATEKEEPER_BROKER", other.bootstrap)
    for name, place, said in (("consents/0.log", 70, "damaged from byte 0"), ("audit/0.log", 7, "signed list")):
        back = flipped(tmp_path / "saved" / "topics" / name, place)
        error = run("restore", "saved").says(4)
        assert name in error
        assert said in error
        back()
    back = exchanged(Path(world.keys) / "token-1.key")
    assert "token-1" in run("restore", "saved").says(2)
    back()
    interrupted(run, monkeypatch)
    half = World(other.bootstrap, world.prefix, partitions=2, keys=world.keys)
    assert not any(records for (name, _), (_, records) in logs(half.settings).items() if name not in FACT_TOPICS)
    for words in (("topics", "create", "--repair"), ("restore", "saved", "--open")):
        assert "half restored" in run(*words).says(2)
    served = forked.run("serve", "--port", "0", env={**os.environ, "GATEKEEPER_LANG": "en"})
    assert (served.returncode, "half restored" in served.stderr) == (2, True), served
    deleted(half.settings)
    restored = run("restore", "saved", "--json")
    assert (restored.code, restored.json["records"]) == (0, made.json["records"]), restored
    assert [(one["feed"], one["companies"]) for one in restored.json["feeds"]] == [("method/paper", ["C1"])]
    assert "--open" in restored.err

    new = World(other.bootstrap, world.prefix, partitions=2, keys=world.keys)
    found = logs(new.settings)
    listed = json.loads((tmp_path / "saved" / "backup.json").read_bytes())["logs"]
    kept = {(one["topic"], one["partition"]): one["records"] for one in listed}
    assert {name: len(records) for name, (_, records) in found.items()} == kept
    for name, (_, records) in lost.items():
        assert found[name][1] == records[: kept[name]], name
        if name[0] in (*FACT_TOPICS, "sends", "acts"):
            assert len(records) == kept[name], f"{name} is whole"
    assert kept["ledger", 0] + kept["ledger", 1] > 2, "more than the heads"
    assert stood in group_positions.positions(new.settings)
    assert (endpoints.read_text(), endpoints.stat().st_mode & 0o777) == ("# nobody yet\n", 0o600)
    assert {name: start for name, (start, _) in found.items()} == {name: start for name, (start, _) in lost.items()}
    assert new.verdicts() == decided, "a transaction is in the backup by half"
    for refused in (run("topics", "create", "--repair").says(2), run("topics", "verify").out, ended(new, tmp_path)):
        assert "the gate is shut" in refused
    with service(new, tmp_path / "service") as (_, client):
        assert codes(client, "late") == {"FACTS_STALE"}, "a withdrawal may be missing"
        assert client.post("/v1/facts/consents", json=withdrawal("a1")).status_code == 200
        assert run("restore", "saved", "--open", "--answered", "*=ticket-1").code == 0
        assert codes(client, "late") == set()
        assert "CONSENT_WITHDRAWN" in codes(client, "a1")
    back = exchanged(Path(world.keys) / "token-1.key")
    assert "token key 1" in ended(new, tmp_path, 4), "stops by token would match nobody"
    back()
    with new.process(tmp_path / "new.log") as worker:
        until(lambda: "e-9" in new.verdicts(), "the send that the backup knows undecided")
        until(lambda: new.read("recalls"), "the recall")
        again = [send_to(name, number, event_id=f"again-{name}") for number, name in enumerate([*CLEARED, "w"])]
        new.put("sends", [(one["recipient_id"], one) for one in again])
        until(lambda: sum("again" in event for event in new.verdicts()) == 5, "repeated sends")
        worker.stop()  # which leaves its group at once
    verdicts = new.verdicts()
    assert {event: verdicts[event] for event in decided} == decided
    assert verdicts["e-9"] == ("clear", None)
    assert verdicts["again-w"] == verdicts["again-a1"] == ("block", "CONSENT_WITHDRAWN")
    assert {verdicts[f"again-{name}"] for name in CLEARED if name != "a1"} == {("block", "DUPLICATE_SEND")}
    assert [json.loads(one.value())["event_id"] for one in new.read("recalls")] == ["e-1"]
    new.check(11)
    assert run("audit", "seal", "--once").code == 0
    assert run("audit", "export", "--out", "export").code == 0
    assert run("audit", "verify", "export").code == 0
    assert run("audit", "coverage").code == 0
    assert "is not empty" in run("restore", "saved").says(2), "a half-copied log would pass as whole"
    (tmp_path / "log").rename(tmp_path / "aside")
    assert "had records" in run("restore", "saved").says(2)


OTHER: list[tuple[str, dict[str, Any]]] = [
    ("controller/C2", {"v": 1, "kind": "controller", "id": "C2"}),
    ("notice/N2", {**NOTICE[1], "id": "N2", "controller_id": "C2"}),
]
"""A second company, with a form of its own."""


def test_nobody_answered_for_a_feed_then_its_company_waits_for_two_managers(
    world: World, other: Broker, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sent(event: str, *names: str) -> list[tuple[str, dict[str, Any]]]:
        """Returns a send of C1 to each whose name begins with `a`, and of C2 to all others."""
        companies = {name: "C1" if name.startswith("a") else "C2" for name in names}
        return [
            (name, send_to(name, f"{event}-{name}", controller_id=company, campaign_id=f"{event}-{company}"))
            for name, company in companies.items()
        ]

    world.put("reference", OTHER)
    world.people(["a1", "a2"])
    world.put("sources", [(name, source_of(name, collected_by="C2", notice_id="N2")) for name in ("b1", "b2")])
    web = {"controller_id": "C2", "notice_id": "N2", "method": "web"}
    world.put("consents", [(name, consent_of(name, **web)) for name in ("b1", "b2")])
    world.put("sends", sent("old", "a1", "b1"))
    with world.process(tmp_path / "worker.log") as worker:
        until(lambda: len(world.verdicts()) == 2, "both pieces are cleared")
        assert {verdict for verdict, _ in world.verdicts().values()} == {"clear"}
        worker.stop()
    assert run("backup", "saved").code == 0
    no = {"state": "Withdrawn", "event_time": "2026-02-01", "channels": "*"}
    world.put("consents", [("a2", consent_of("a2", **no))])

    monkeypatch.setenv("GATEKEEPER_BROKER", other.bootstrap)
    restored = run("restore", "saved", "--json")
    told = {one["feed"]: (one["companies"], one["records"]) for one in restored.json["feeds"]}
    assert told == {"method/paper": (["C1"], 2), "method/web": (["C2"], 2)}
    assert "--open" in run("restore", "saved", "--answered", "method/web=t-1").says(2)
    opened_ = run("restore", "saved", "--open", "--answered", "method/web=t-1", "--json")
    assert opened_.code == 1, "somebody has not answered"
    gaps = {one["feed"]: (one["evidence"], one["gap"]) for one in opened_.json["feeds"]}
    assert gaps["method/web"][0] == "t-1"
    assert (gaps["method/paper"][0], place := gaps["method/paper"][1]) == (None, place)
    assert f"deadletter resolve {place}" in opened_.err
    assert "open already" in run("restore", "saved", "--open").says(2)

    new = World(other.bootstrap, world.prefix, partitions=2, keys=world.keys)
    with new.process(tmp_path / "new.log") as worker:
        new.put("sends", sent("new", "a1", "a2", "b1", "b2"))
        until(lambda: len(new.verdicts()) == 6, "decisions")
        verdicts = new.verdicts()
        unknown = ("block", "FACTS_UNAVAILABLE")
        assert verdicts["e-new-a1"] == verdicts["e-new-a2"] == unknown
        assert verdicts["e-new-b1"] == verdicts["e-new-b2"] == ("clear", None)
        port = worker.events("worker_started")[0]["port"]
        monkeypatch.setenv("GATEKEEPER_HTTP_PORT", str(port))
        (wide,) = run("status", "--json").json["withholding"]
        assert (wide["fault"], wide["companies"], wide["needed"]) == ("gap/method/paper", ["C1"], 2)
        assert f"deadletter resolve {place}" in run("status").out
        assert run("handoff", "old-C1", "--out", "early.csv", "--json").json["written"] == 0
        new.put("consents", [("a2", consent_of("a2", **no))])
        assert run("deadletter", "resolve", place, "--by", "hanako", "--reason", "the list came").code == 1
        assert run("deadletter", "resolve", place, "--by", "taro", "--reason", "the list came").code == 0
        until(lambda: sum(one.stage == "act" and one.act.by == "gatekeeper" for one in new.audits()) == 2, "again")
        assert [one.key() for one in new.read("cleared") if b"new-a" in one.value()] == [b"a1"]
        assert run("status", "--json").json["withholding"] == []
        worker.stop()
