"""A worker that cannot start or must not go on ends with a documented exit code and one sentence."""

import asyncio
import socket
import uuid
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from kafka import TopicPartition
from kafka.admin import KafkaAdminClient

from gatekeeper.ground.errors import UnavailableError
from gatekeeper.ground.settings import Settings
from gatekeeper.ground.texts import text
from streams.kafka import node
from streams.kafka.broker import Broker
from streams.worker import partition, takeover
from streams.worker.health import serve_health
from tests.support.world import Supervised, World, eventually, until

pytestmark = pytest.mark.usefixtures("doomed")


@pytest.fixture
def world(kafka: Broker, prefix: str) -> World:
    return World(kafka.bootstrap, prefix, partitions=4).create()


def refusal(worker: Supervised) -> tuple[int, str]:
    """Waits for the end of a worker; returns its exit code and the one sentence in its log, all else being JSON."""
    code = worker.wait()
    (stopped,) = worker.events("stopped")
    assert stopped["code"] == code
    assert "Traceback" not in worker.tail()
    return code, stopped["reason"]


@pytest.fixture(scope="module")
def doomed(kafka: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Supervised]]:
    """Workers that cannot start, by what is wrong; begun before the first test, as a missing broker is waited for."""
    world = World(kafka.bootstrap, f"t{uuid.uuid4().hex}.", partitions=4).create()
    logs = tmp_path_factory.mktemp("doomed")
    with ExitStack() as stack, socket.create_server((node.HOST, 0)) as taken:
        settings = {
            "no broker": {"broker": f"{node.HOST}:{node.free_port()}"},
            "busy port": {"http_port": str(taken.getsockname()[1])},
            "other layout": {"partitions": "8"},
            "no topics": {"prefix": "elsewhere."},
        }
        yield {
            name: stack.enter_context(world.process(logs / f"{name}.log", lang="en", **wrong))
            for name, wrong in settings.items()
        }


def test_a_past_that_contradicts_itself_then_refused_and_4_without_a_partition_left(world, tmp_path):
    people = [f"r{number}" for number in range(400)]
    world.sends(people)
    sends = TopicPartition(world.topic("sends"), 1)

    async def decided() -> None:
        async with world.worker():
            await eventually(lambda: world.decided() == len(people), "decisions")

    asyncio.run(decided())
    head = world.head(1)["sends"]
    world.sends(people, len(people))
    with KafkaAdminClient(bootstrap_servers=world.bootstrap) as kafka_admin:
        kafka_admin.delete_records({sends: head + 10})
        where = {"topic": sends.topic, "partition": 1}
        expired = text("error.sends_expired", "en", position=head, begin=head + 10, **where)
        others = sum(end for number, end in enumerate(world.ends("sends")) if number != 1) + head
        with world.process(tmp_path / "expired.log", lang="en") as worker:
            until(lambda: world.decided() == others and worker.events("partition_refused"), "the other partitions")
            refused = {(one["topic"], one["partition"], one["offset"]) for one in worker.events("partition_refused")}
            assert (sends.topic, 1, head) in refused
            assert {one["reason"] for one in worker.events("partition_refused")} == {expired}
        world.remake("ledger")
        with world.process(tmp_path / "missing.log", lang="en") as worker:
            code, sentence = refusal(worker)
            assert code == 4
            assert sentence in {text("error.head_missing", "en", topic=sends.topic, partition=p) for p in range(4)}
    assert [a for a in world.audits() if a.src.partition == 1][-1].src.offset < head


def test_a_transaction_that_hangs_in_the_ledger_then_its_partition_alone_waits(world, monkeypatch):
    monkeypatch.setattr(takeover, "HANGING_SECONDS", 0.5)
    monkeypatch.setattr(partition, "REFUSED_SECONDS", (0.1, 0.1))
    world.sends(sent := [f"r{number}" for number in range(40)])

    async def run() -> None:
        with world.transaction() as foreign:
            world.put("ledger", [("head", b"never ended")], foreign)
            async with world.worker() as app:
                await eventually(lambda: app.gate.readiness()["refused"], "a refusal")
                ((number, sentence),) = app.gate.readiness()["refused"].items()
                where = {"topic": world.topic("ledger"), "partition": number}
                assert sentence == text("error.transaction_hangs", **where)
                rest = sum(end for other, end in enumerate(world.ends("sends")) if other != int(number))
                await eventually(lambda: world.decided() == rest, "the other partitions")
                foreign.abort_transaction()
                await eventually(lambda: world.decided() == len(sent), "this one, too")
                assert app.gate.readiness()["refused"] == {}

    asyncio.run(run())
    world.check(len(sent))


def test_given_no_broker_then_exit_3_and_the_address(doomed):
    address = doomed["no broker"].environment["GATEKEEPER_BROKER"]
    detail = text("error.broker_refused", "en")
    assert refusal(doomed["no broker"]) == (3, text("error.broker_unreachable", "en", broker=address, detail=detail))


def test_given_a_busy_port_then_exit_3_and_the_port(doomed):
    port = doomed["busy port"].environment["GATEKEEPER_HTTP_PORT"]
    assert refusal(doomed["busy port"]) == (3, text("error.http_port_busy", "en", host=node.HOST, port=port))


def test_an_address_of_another_machine_then_exit_3_names_the_setting():
    settings = Settings(http_host="192.0.2.1")  # for documents only: RFC 5737
    with pytest.raises(UnavailableError) as caught:
        asyncio.run(serve_health(settings, dict))
    assert caught.value.key == "error.http_unusable"
    assert "192.0.2.1:8646" in str(caught.value)
    assert "GATEKEEPER_HTTP_HOST" in str(caught.value)


def test_given_topics_of_another_layout_then_exit_2_and_what_differs(doomed):
    code, sentence = refusal(doomed["other layout"])
    topic = doomed["other layout"].environment["GATEKEEPER_PREFIX"] + "sends.v1"
    assert code == 2
    assert text("error.topic_partitions_differs", "en", topic=topic, found=4, expected=8) in sentence


def test_given_no_topics_then_exit_2_and_what_is_missing(doomed):
    code, sentence = refusal(doomed["no topics"])
    assert code == 2
    assert text("error.topic_missing_differs", "en", topic="elsewhere.sends.v1", found=0, expected=4) in sentence
