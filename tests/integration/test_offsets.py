"""Records looked for by their name: each is found where it stands, and what is not there ends the search."""

import asyncio

import pytest
from aiokafka import TopicPartition

from gatekeeper.ground.settings import Settings
from streams.worker import offsets
from streams.worker.chunks import CHUNK_RECORDS
from streams.worker.clients import Clients
from tests.support.world import World

COUNT = 2 * offsets.REACH + 1_000


@pytest.fixture(scope="module")
def review(kafka) -> tuple[Settings, TopicPartition]:
    """A partition with a record of each number as its name, but for two that no gate wrote."""
    world = World(kafka.bootstrap, "tnamed.", partitions=1).create()
    topic, through = world.topic("review"), world.producer()
    for number in range(COUNT):
        name = {7: None, 8: b"\xff"}.get(number, str(number).encode())
        through.produce(topic, b"{}", b"P-1", partition=0, headers=[("gate-decision-id", name)])
        if number % 1_000 == 0:
            through.poll(0)
    assert through.flush(60) == 0
    return world.settings, TopicPartition(topic, 0)


def found(review: tuple[Settings, TopicPartition], wanted: dict[str, int]) -> list[int]:
    async def look() -> list[int]:
        clients = Clients(review[0])
        probe = offsets.Probe(clients.reader(), clients.ends())
        await asyncio.gather(probe.start(), probe.ends.start())
        try:
            records = await offsets.named(probe, review[1], "gate-decision-id", wanted)
            assert all(dict(one.headers)["gate-decision-id"] == str(one.offset).encode() for one in records)
            client = probe.reader._client
            await client.force_metadata_update()
            assert not records or client.cluster.topics() == {review[1].topic}, "it asked for all topics of the cluster"
            return [one.offset for one in records]
        finally:
            await asyncio.gather(probe.stop(), probe.ends.stop())

    return asyncio.run(look())


@pytest.mark.parametrize(
    ("wanted", "there"),
    [
        ({}, []),
        ({"3": 3, "0": 0}, [0, 3]),
        ({"9": 5, "400": 5}, [9, 400]),
        ({"5000": 4_000, "20": 10, "15000": 14_999}, [20, 5_000, 15_000]),
        ({"10": 11, "30": 11}, [30]),
        ({"nowhere": 0, "12000": 11_000}, [12_000]),
        ({str(offsets.REACH): 0, str(offsets.REACH + 2): 0}, [offsets.REACH]),
        ({"nowhere": COUNT + 5}, []),
        ({str(COUNT - 1): COUNT - 1, "20500": 20_000}, [20_500, COUNT - 1]),
    ],
)
def test_given_names_then_each_that_is_within_reach_is_found_and_the_search_ends(review, wanted, there):
    assert found(review, wanted) == there


def test_reach_then_it_covers_three_transactions_of_sends_and_acts():
    assert offsets.REACH > 3 * 3 * CHUNK_RECORDS
