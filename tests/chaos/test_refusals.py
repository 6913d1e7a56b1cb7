"""What a worker cannot start with, or must not go on with: it ends with a documented exit code and one sentence."""

import asyncio
import socket
from contextlib import ExitStack

import pytest
from kafka import TopicPartition
from kafka.admin import KafkaAdminClient

from gatekeeper.errors import IntegrityError
from gatekeeper.texts import text
from streams import admin, node, partition
from tests.chaos.conftest import Flow
from tests.worlds import Supervised, eventually


def refusal(worker: Supervised) -> tuple[int, str]:
    """Waits for the end of a worker; returns its exit code and the one sentence in its log, all else being JSON."""
    code = worker.wait()
    (stopped,) = worker.events("stopped")
    assert stopped["code"] == code
    assert "Traceback" not in worker.tail()
    return code, stopped["reason"]


def test_given_what_a_worker_cannot_start_with_then_it_says_so_and_ends(world, tmp_path):
    dead = f"{node.HOST}:{node.free_port()}"
    topic = world.settings.topic("sends")
    with ExitStack() as stack, socket.create_server((node.HOST, 0)) as other:
        port = other.getsockname()[1]

        def started(**settings: str) -> Supervised:
            log = tmp_path / f"{len(list(tmp_path.iterdir()))}.log"
            return stack.enter_context(world.process(log, lang="en", **settings))

        no_broker, busy = started(broker=dead), started(http_port=str(port))
        other_layout, no_topics = started(partitions="8"), started(prefix="elsewhere.")

        refused = text("error.broker_refused", "en")
        assert refusal(no_broker) == (3, text("error.broker_unreachable", "en", broker=dead, detail=refused))
        assert refusal(busy) == (3, text("error.http_port_busy", "en", host=node.HOST, port=port))
        code, sentence = refusal(other_layout)
        assert (code, text("error.topic_partitions_differs", "en", topic=topic, found=4, expected=8) in sentence) == (
            2,
            True,
        )
        code, sentence = refusal(no_topics)
        assert code == 2
        assert "elsewhere.sends.v1" in sentence


def test_given_a_past_that_contradicts_itself_then_exit_4_and_nothing_is_decided(world, tmp_path):
    flow = Flow(world)
    flow.publish(400)
    sends = TopicPartition(world.settings.topic("sends"), 1)
    with world.process(tmp_path / "worker.log") as worker:
        flow.await_decided(flow.sent)
        assert worker.stop() == 0
    head = world.head(1)["sends"]
    flow.publish(400)
    with KafkaAdminClient(bootstrap_servers=world.bootstrap) as kafka_admin:
        kafka_admin.delete_records({sends: head + 10})
        where = {"topic": sends.topic, "partition": 1}
        with world.process(tmp_path / "expired.log", lang="en") as worker:
            expired = text("error.sends_expired", "en", position=head, begin=head + 10, **where)
            assert refusal(worker) == (4, expired)
        ledger = world.settings.topic("ledger")
        kafka_admin.delete_topics([ledger])
        admin.create(world.settings)
        with world.process(tmp_path / "missing.log", lang="en") as worker:
            code, sentence = refusal(worker)
            assert code == 4
            assert sentence in {text("error.head_missing", "en", topic=sends.topic, partition=p) for p in range(4)}
    assert [a for a in world.audits() if a.src.partition == 1][-1].src.offset < head


def test_given_a_transaction_that_hangs_where_we_write_then_refused_until_it_ends(world, monkeypatch):
    monkeypatch.setattr(partition, "HANGING_SECONDS", 0.5)
    flow = Flow(world)
    flow.publish(200)

    async def refused() -> None:
        async with world.worker() as app:
            await eventually(lambda: app.failures, "a refusal")

    async def decided() -> None:
        async with world.worker():
            await eventually(lambda: world.decided() == flow.sent, "decisions")

    with world.transaction() as foreign:
        world.put("ledger", [("head", b"never ended")], foreign)
        with pytest.raises(IntegrityError) as caught:
            asyncio.run(refused())
        assert caught.value.key == "error.transaction_hangs"
        assert world.head(caught.value.values["partition"]) is None
        foreign.abort_transaction()
    asyncio.run(decided())
    flow.check()
