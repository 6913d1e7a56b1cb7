"""The ledger of a partition, on real Kafka: a damaged copy is read anew, and one of a newer engine is refused."""

import asyncio
import os
import signal
from pathlib import Path

import lmdb
import pytest

from gatekeeper.ground.errors import IntegrityError
from tests.support.world import World, eventually, send_to, until

CLEAR, TWICE = ("clear", None), ("block", "DUPLICATE_SEND")


@pytest.fixture
def world(kafka, prefix) -> World:
    world = World(kafka.bootstrap, prefix, partitions=2).create()
    world.people(["r1"])
    return world


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
