"""Reading and writing for the commands: only what is committed, up to an end that was asked, and never without end."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka.errors import ProducerFenced
from confluent_kafka import Producer

from gatekeeper.ground.errors import IncompleteError, UnavailableError
from gatekeeper.ground.settings import Settings
from streams.client import admin, broker_access, fact_with_act, publisher
from streams.client import reader as client
from streams.client.outgoing import Outgoing
from streams.client.producer import ProducerBatch
from streams.client.publisher import Publisher, RecordMetadata, transact
from streams.client.reader import Reader
from streams.kafka.broker import Broker
from streams.worker.clients import Clients
from tests.support.world import until


@pytest.fixture
def settings(kafka: Broker, prefix: str) -> Settings:
    found = Settings(broker=kafka.bootstrap, prefix=prefix, partitions=3)
    admin.create(found)
    return found


@pytest.fixture(scope="module")
def hurt(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker that tests may halt."""
    with Broker(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker


@pytest.fixture
def own(hurt: Broker, prefix: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Broker, Settings]]:
    """That broker, and clients with less patience than usual."""
    settings = Settings(broker=hurt.bootstrap, prefix=prefix, partitions=2)
    admin.create(settings)
    Foreign(settings).abort()  # the first transaction of all has to wait for what Kafka lays out for it
    monkeypatch.setattr(broker_access, "REQUEST_MS", 3_000)
    monkeypatch.setattr(client, "STALL_SECONDS", 3.0)
    monkeypatch.setattr(publisher, "REQUEST_MS", 3_000)
    monkeypatch.setattr(publisher, "DELIVERY_MS", 4_000)
    monkeypatch.setattr(publisher, "TRANSACTION_MS", 4_000)
    yield hurt, settings
    os.kill(hurt.pid, signal.SIGCONT)


class Foreign:
    """A transaction of another client."""

    def __init__(self, settings: Settings) -> None:
        self._producer = Producer({"bootstrap.servers": settings.broker, "transactional.id": uuid.uuid4().hex})
        self._settings = settings
        self._producer.init_transactions(30)
        self._producer.begin_transaction()

    def write(self, value: bytes) -> None:
        self._producer.produce(self._settings.topic("sends"), value, b"k", partition=0)
        assert self._producer.flush(30) == 0

    def commit(self) -> None:
        self._producer.commit_transaction(30)

    def abort(self) -> None:
        self._producer.abort_transaction(30)


def values(settings: Settings, topic: str = "sends") -> list[bytes | None]:
    with Reader(settings) as reader:
        return [record.value for record in reader.read(topic)]


def test_aborted_and_open_transactions_then_only_what_is_committed_before_is_read(settings: Settings) -> None:
    for value, outcome in ((b"committed", Foreign.commit), (b"aborted", Foreign.abort)):
        foreign = Foreign(settings)
        foreign.write(value)
        outcome(foreign)
    assert values(settings) == [b"committed"]
    still_open = Foreign(settings)
    still_open.write(b"open")
    Producer({"bootstrap.servers": settings.broker}).produce(settings.topic("sends"), b"behind it", partition=0)
    assert values(settings) == [b"committed"]
    still_open.commit()


@pytest.mark.main
def test_a_worker_that_lost_its_partition_then_nothing_that_it_writes_is_read(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def batch(value: bytes) -> ProducerBatch:
        made = ProducerBatch(settings.topic("cleared"), 0)
        assert made.append(b"r1", value)
        return made

    async def cut_off(*_: Any) -> None:
        raise ConnectionError

    async def work() -> None:
        clients = Clients(settings)
        former, owner = clients.producer(0), clients.producer(0)
        await former.start()
        await former.commit([batch(b"before")], {}, settings.group)
        with monkeypatch.context() as patched:
            patched.setattr(former, "_end", cut_off)
            with pytest.raises(ConnectionError):
                await former.commit([batch(b"never committed")], {}, settings.group)
        await owner.start()
        monkeypatch.setattr(former, "_usable", True)  # it does not know yet
        with pytest.raises(ProducerFenced):
            await former.commit([batch(b"too late")], {}, settings.group)
        await owner.commit([batch(b"after")], {}, settings.group)
        for producer in (former, owner):
            await producer.stop()

    asyncio.run(work())
    assert values(settings, "cleared") == [b"before", b"after"]


def test_a_place_then_the_record_there_or_none(settings: Settings) -> None:
    (place,) = transact(settings, [Outgoing("consents", b"r1", b"value")])
    # the commit's marker lies between the two: its place holds no record, and not the next one either
    (behind,) = transact(settings, [Outgoing("consents", b"r1", b"behind")])
    assert behind.offset == place.offset + 2
    with Reader(settings) as reader:
        found = reader.at("consents", partition=place.partition, offset=place.offset)
        assert found is not None
        assert (found.topic, found.key, found.value) == ("consents", b"r1", b"value")
        for partition, offset in ((place.partition, place.offset + 1), (place.partition, 99), (99, 0)):
            assert reader.at("consents", partition=partition, offset=offset) is None


def test_a_transaction_with_one_record_that_is_refused_then_nothing_of_it_is_there(settings: Settings) -> None:
    with pytest.raises(UnavailableError):
        transact(settings, [Outgoing("consents", b"r1", b"one"), Outgoing("consents", b"r1", b"x" * 1_100_000)])
    assert values(settings, "consents") == []


def test_a_broker_that_falls_silent_then_every_call_ends(own: tuple[Broker, Settings]) -> None:
    broker, settings = own
    with Publisher(settings, "sends") as out, Reader(settings) as reader:
        assert out.write([(b"a", b"1")] * 2)[1] in (RecordMetadata("sends", 0, 1), RecordMetadata("sends", 1, 1))
        silence(broker)
        assert out.write([(b"a", b"2")] * 5) == [None] * 5
        with pytest.raises(UnavailableError, match=settings.broker):
            reader.ends("sends")
        with pytest.raises(UnavailableError, match=settings.broker):
            next(reader.follow("sends", from_beginning=False))
        os.kill(broker.pid, signal.SIGCONT)


def silence(broker: Broker) -> None:
    """Halts the broker, and returns when its last thread has halted."""
    os.kill(broker.pid, signal.SIGSTOP)
    threads = Path(f"/proc/{broker.pid}/task")
    until(lambda: all((one / "stat").read_text().rpartition(") ")[2][0] == "T" for one in threads.iterdir()), "a halt")


def test_no_answer_to_a_commit_then_nobody_claims_to_know(
    own: tuple[Broker, Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    broker, settings = own
    flush = publisher.KafkaProducer.flush

    def flush_and_fall_silent(self: object, timeout: float | None = None) -> None:
        flush(self, timeout)
        silence(broker)

    monkeypatch.setattr(publisher.KafkaProducer, "flush", flush_and_fall_silent)
    with pytest.raises(IncompleteError, match=settings.broker):
        transact(settings, [Outgoing("consents", b"r1", b"one")])
    act = fact_with_act.act("withdraw", by="hanako", recipient_id="r1")
    os.kill(broker.pid, signal.SIGCONT)
    with pytest.raises(UnavailableError, match=rf"tail acts.*{act.act_id}"):
        fact_with_act.write(settings, [Outgoing("consents", b"r1", b"one")], act)


def test_debug_logs_on_then_kafka_python_still_says_no_value(settings: Settings) -> None:
    program = (
        "import logging, sys; logging.basicConfig(level=logging.DEBUG)\n"
        "from gatekeeper.ground.settings import Settings; from streams.client.publisher import Publisher\n"
        "with Publisher(Settings(), 'sends') as out: out.write([(b'r1', b'hanako@mail.example')])\n"
    )
    told = os.environ | {"GATEKEEPER_BROKER": settings.broker, "GATEKEEPER_PREFIX": settings.prefix}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=told, check=True)
    assert "hanako" not in done.stdout + done.stderr
    assert values(settings) == [b"hanako@mail.example"]
