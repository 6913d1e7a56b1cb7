"""Measures a partition's memory: bytes per live clearance with its person's salt, and the time of a take-over.

python -m benchmarks.ledger                     1,000,000 clearances, through a Kafka of its own
python -m benchmarks.ledger --clearances 100000
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import resource
import time

import orjson
from confluent_kafka import Producer

from gatekeeper.identity import Printed, printed
from gatekeeper.ledger.entries import SALT_BYTES, Entry, clearance, salt
from gatekeeper.settings import Settings
from schemas.events import Send
from streams.client import admin
from streams.kafka.broker import Broker
from streams.worker import ledger, offsets
from streams.worker.clients import Clients
from tests.support import invented

NOW = invented.T
DAYS = 30


def value(number: int) -> bytes:
    """A send as a platform publishes it, each to another person."""
    name = f"R{number:09}"
    delivery = {"name": "見本 花子", "postcode": "100-0000", "lines": ["東京都千代田区見本町1-2-3"]}
    fields = {"recipient_id": name, "event_id": f"DM-2026-AUTUMN-{name}", "campaign_id": "DM-2026-AUTUMN"}
    return orjson.dumps(invented.send(point=f"{name}-P", mail_date="2026-12-10", delivery=delivery, **fields))


@functools.cache
def at_point() -> Printed | None:
    """The result of comparing the delivery, which is the same for everybody."""
    return printed(invented.TOKENS, Send.model_validate_json(value(0)))


def entries(number: int) -> tuple[Entry, Entry]:
    """The worker's entries for a send: that of its clearance and that of its person's salt."""
    sent = value(number)
    send = Send.model_validate_json(sent)
    until = NOW + DAYS * 86_400_000 + number % 86_400_000
    did = f"{number:026}".translate(str.maketrans("0123456789", "ABCDEFGHIJ"))
    src = {"topic": "mail.sends.v1", "partition": 0, "offset": number, "timestamp": NOW}
    cleared = clearance(
        sent, send, did=did, at=NOW, until=until, basis=f"S-{number}", released=False, src=src, printed=at_point()
    )
    return cleared, salt(send.recipient_id, 1, number.to_bytes(SALT_BYTES))


def resident() -> int:
    """The peak memory of this process, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


async def rebuild(settings: Settings) -> ledger.Ledger:
    """Reads the ledger as a new owner does."""
    clients = Clients(settings)
    probe = offsets.Probe(clients.reader(), clients.ends())
    await asyncio.gather(probe.start(), probe.ends.start())
    try:
        return await ledger.read(probe, settings, 0)
    finally:
        await asyncio.gather(probe.stop(), probe.ends.stop())


def main() -> None:
    """Writes the entries, reads them back, and prints the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clearances", type=int, default=1_000_000)
    count = parser.parse_args().clearances
    with Broker() as broker:
        settings = Settings(broker=broker.bootstrap, partitions=1)
        admin.create(settings)
        producer = Producer(
            {"bootstrap.servers": broker.bootstrap, "acks": "all", "linger.ms": 20, "message.max.bytes": 900_000}
        )
        size, began = 0, time.perf_counter()
        for number in range(count):
            for one in entries(number):
                size += len(one.key) + len(one.value or b"")
                producer.produce(settings.topic(one.topic), one.value, one.key, partition=0)
            if number % 20_000 == 0:
                producer.flush()
        assert producer.flush(60) == 0
        print(f"{count:,} clearances, {size / count:,.0f} bytes each as written ({time.perf_counter() - began:.1f} s)")
        before, began = resident(), time.perf_counter()
        found = asyncio.run(rebuild(settings))
        took = time.perf_counter() - began
        assert found.memory.people == count
        print(f"rebuilt in {took:.1f} s ({count / took:,.0f} a second), {(resident() - before) / count:.0f} bytes each")
        send = Send.model_validate_json(value(count // 2))
        began = time.perf_counter()
        for _ in range(10_000):
            assert found.memory.about(send, NOW).clearance
        print(f"a duplicate is found in {(time.perf_counter() - began) / 10_000 * 1e6:.1f} µs")
        began = time.perf_counter()
        due = found.memory.due(NOW + 2 * DAYS * 86_400_000, 1_000)
        print(f"{len(due):,} that no longer matter are found in {(time.perf_counter() - began) * 1e3:.1f} ms")


if __name__ == "__main__":
    main()
