"""The ledger of a partition, on real Kafka: it survives restarts and compaction, and entries end on time."""

import asyncio
import os
import signal
from pathlib import Path

import lmdb
import pytest
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from gatekeeper.ground.errors import IntegrityError
from tests.support.world import World, eventually, send_to, until

CLEAR, TWICE = ("clear", None), ("block", "DUPLICATE_SEND")


@pytest.fixture
def world(kafka, prefix) -> World:
    world = World(kafka.bootstrap, prefix, partitions=2).create()
    world.people(["r1"])
    return world


def again(number: int | str) -> tuple:
    """Returns another send of the same piece."""
    return "r1", send_to("r1", 0, event_id=f"e-{number}")


def first_and(count: int) -> dict:
    return {"e-0": CLEAR} | {f"e-{number}": TWICE for number in range(1, count + 1)}


def copied(data: Path, number: int) -> bool:
    """Tells whether the disk has the copy of a partition, of which the worker may not have heard yet."""
    with lmdb.open(str(data / "ledger" / str(number) / "0"), readonly=True, max_dbs=1) as env:
        try:
            state = env.open_db(b"state", create=False)
        except lmdb.NotFoundError:
            return False
        with env.begin(state) as read:
            return read.get(b"at") is not None


async def decided(world: World, count: int) -> None:
    await eventually(lambda: sum(world.ends("audit")) >= count and len(world.audits()) == count, f"{count} decisions")


def test_duplicates_in_a_chunk_the_next_and_after_a_restart_then_one_piece_goes_out(world):
    world.put("sends", [again(number) for number in range(3)])
    world.put("sends", [("r1", send_to("r1", "other")), ("r1", send_to("r1", 0, event_id="e-mail", channel="email"))])

    async def run(number: int) -> None:
        async with world.worker():
            await decided(world, number + 2)
            world.put("sends", [again(number)])
            await decided(world, number + 3)

    asyncio.run(run(3))
    asyncio.run(run(4))
    verdicts = world.verdicts()
    assert verdicts.pop("e-other") == CLEAR
    assert verdicts.pop("e-mail")[1] != "DUPLICATE_SEND"
    assert verdicts == first_and(4)
    world.check(7)
    informational = [m for m in world.read("review") if dict(m.headers()).get("gate-disposition") == b"informational"]
    assert len(informational) == 4
    assert {audit.clearance for audit in world.audits()} == {None, world.audits()[0].did}


def test_a_killed_worker_then_its_next_life_goes_on_from_its_copy_and_knows_all(world, tmp_path):
    world.put("sends", (("r1", send_to("r1", number)) for number in range(20)))
    with world.process(tmp_path / "log", data=str(tmp_path / "data")) as worker:
        until(lambda: len(world.audits()) == 20, "20 decisions")
        assert {one["reason"] for one in worker.events("ledger_made_anew")} == {"incomplete"}
        until(lambda: [copied(tmp_path / "data", number) for number in range(2)] == [True, True], "both copies")
        worker.kill()
        worker.start()
        world.put("sends", [("r1", send_to("r1", number, event_id=f"e-again-{number}")) for number in range(20)])
        until(lambda: len(world.audits()) == 40, "20 more decisions")
        until(lambda: len(worker.events("ledger_continued")) == 2, "both partitions taken over with their copies")
    verdicts = world.verdicts()
    assert {verdicts[f"e-{number}"] for number in range(20)} == {CLEAR}
    assert {verdicts[f"e-again-{number}"] for number in range(20)} == {TWICE}
    world.check(40)


def test_a_damaged_copy_that_ends_the_worker_then_the_next_start_reads_the_topic(world, tmp_path):
    world.put("sends", (("r1", send_to("r1", number)) for number in range(5)))
    data = tmp_path / "data"
    with world.process(tmp_path / "log", data=str(data)) as worker:
        until(lambda: len(world.audits()) == 5, "5 decisions")
        until(lambda: copied(data, 0) and copied(data, 1), "both copies")
        worker.kill()
        os.truncate(data / "ledger" / "0" / "0" / "data.mdb", 2 * 4096)
        worker.start()
        assert worker.wait() in (-signal.SIGBUS, -signal.SIGSEGV), "it follows pages that are not there"
        worker.start()
        world.put("sends", [("r1", send_to("r1", number, event_id=f"e-again-{number}")) for number in range(5)])
        until(lambda: len(world.audits()) == 10, "5 more decisions")
        assert "fault" in {one["reason"] for one in worker.events("ledger_made_anew")}
        assert {one["reason"] for one in worker.events("facts_made_anew")} == {"fault"}
    verdicts = world.verdicts()
    assert {verdicts[f"e-again-{number}"] for number in range(5)} == {TWICE}
    world.check(10)


def test_given_a_compacted_ledger_then_a_duplicate_is_still_known(world):
    ledger = ConfigResource(ConfigResourceType.TOPIC, world.topic("ledger"))
    ledger.configs = {"segment.ms": "100", "min.cleanable.dirty.ratio": "0.001", "min.compaction.lag.ms": "0"}
    world.put("sends", [again(0)])

    async def run(number: int) -> None:
        async with world.worker():
            await decided(world, number)
            world.put("sends", [again(number)])
            await decided(world, number + 1)

    def places() -> set[tuple[int, int]]:
        return {(one.partition(), one.offset()) for one in world.read("ledger")}

    asyncio.run(run(1))
    before = places()  # while nothing can be compacted yet
    with KafkaAdminClient(bootstrap_servers=world.bootstrap) as admin:
        admin.alter_configs([ledger])
    asyncio.run(run(2))  # so that a segment is rolled: the last one is never compacted

    async def compacted() -> None:
        await eventually(lambda: before - places(), "compaction")

    asyncio.run(compacted())
    asyncio.run(run(3))
    assert world.verdicts() == first_and(3)
    world.check(4)


def test_an_entry_of_a_newer_engine_then_its_partition_alone_is_refused(world):
    world.put("ledger", [("sealed/r1/x", {"v": 1, "until": None})])
    refused = next(record.partition() for record in world.read("ledger"))
    world.put("sends", (("r1", send_to("r1", number)) for number in range(2)), partition=1 - refused)

    async def run() -> None:
        async with world.worker() as app:
            await decided(world, 2)
            await eventually(lambda: app.gate.readiness()["refused"], "a refusal")
            (sentence,) = app.gate.readiness()["refused"].values()
            assert sentence == str(IntegrityError("error.ledger_newer", kind="sealed"))
            assert not app.gate.readiness()["ready"]

    asyncio.run(run())
