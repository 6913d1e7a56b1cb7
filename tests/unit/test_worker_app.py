"""The parts of the worker's Faust app."""

import asyncio

from faust.transport.drivers.aiokafka import server_list

from streams.worker.app import create_app
from tests.support.world import World

THREE = ["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"]


def test_given_three_brokers_then_faust_knows_each_and_no_other():
    async def known() -> list[str]:
        app = create_app(World(",".join(THREE), "x.").settings)
        app.scratch.rmdir()
        return server_list(app.transport.url, 9092)

    assert asyncio.run(known()) == THREE
