"""The dimensions in which the gate grows, each with its sizes and the function that measures one size."""

from __future__ import annotations

import asyncio
import functools
import multiprocessing
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from datetime import date
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import NamedTuple

import orjson

from benchmarks.peers.measured import Watched, proportional
from benchmarks.store import private
from gatekeeper.demo.retailer import Retailer
from gatekeeper.ground.settings import Settings
from gatekeeper.identity import Printed, printed
from gatekeeper.knowledge.store import FactStore
from gatekeeper.ledger.entries import SALT_BYTES, Entry, clearance, salt
from gatekeeper.ledger.head import HEAD, Head
from schemas.codec import encode, parsed
from schemas.events import Send
from schemas.record import Record
from schemas.topics import FACT_TOPICS, subject_key
from streams.client import admin
from streams.kafka.broker import Broker
from streams.worker import ledger_reader, offsets
from streams.worker.clients import Clients
from streams.worker.kept_ledger import CopyPosition, KeptLedgers
from tests.support import invented
from tests.support.world import World, until

Figures = Mapping[str, float]
"""The figures of one size, by name and unit."""

NOW = invented.T
DAY_MS = 86_400_000
INVENTED = 10_000
"""People who are invented; more people are copies of them under other ids."""
PEOPLE, SENDS = 5_000, 20_000
"""People and sends where something else grows."""
ROUNDS = 300
"""Rounds of the barrier."""
TURNS = 3
"""Measurements of the processes, in turn with one process."""
_PERSON = re.compile(rb'"recipient_id":"([^"]+)"')


class Dimension(NamedTuple):
    """A unit that grows, its sizes, the function that measures one size, and a size to extrapolate to (0: none).

    `sums`: the figures that grow with the size, so that a line tells those of a larger one.
    """

    unit: str
    sizes: Sequence[int]
    measure: Callable[[int], Figures]
    beyond: int = 0
    sums: Sequence[str] = ()


def people(count: int) -> Figures:
    """The demo's people with their facts, read from nothing into one process."""
    known = [(t, subject_key(t, v).encode(), encode(v)) for t, v in _facts(min(count, INVENTED))]
    before, store, records, began = private(), FactStore(), 0, time.process_time()
    for copy in range(-(-count // INVENTED)):
        named = rb'"recipient_id":"\1-%d"' % copy
        for topic, key, value in known:
            if copy and _PERSON.search(value) is None:
                continue  # reference data, and suppressions by token: once for all
            changed = (key + b"-%d" % copy, _PERSON.sub(named, value)) if copy else (key, value)
            store.apply(Record(topic, 0, records, NOW, *changed))
            records += 1
    took, size = time.process_time() - began, private() - before
    return {
        "MB": size / 1e6,
        "bytes a person": size / store.people,
        "s to read": took,
        "µs a fact": took / records * 1e6,
    }


def events(count: int) -> Figures:
    """Ten thousand people with so many consents and withdrawals each."""
    many, before, store = 10_000, private(), FactStore()
    for person in range(many):
        for turn in range(count):
            said = {"state": "Withdrawn" if turn % 2 and turn + 1 < count else "Given", "record_id": f"R-{turn}"}
            topic, value = invented.consent(recipient_id=f"P-{person}", **said)
            key, offset = value["recipient_id"].encode(), person * count + turn
            fault = store.apply(Record(topic, 0, offset, NOW, key, orjson.dumps(value)))
            assert fault is None, fault
    size = (private() - before) / many
    sends = [Send.model_validate_json(orjson.dumps(invented.send(recipient_id=f"P-{n}"))) for n in range(many)]
    began = time.process_time()
    shown = [len(store.view(send, at=NOW, zone="Asia/Tokyo").snapshot) for send in sends]
    took = time.process_time() - began
    return {"bytes a person": size, "µs a look-up": took / many * 1e6, "bytes a snapshot": median(shown)}


def clearances(count: int) -> Figures:
    """Live clearances of one partition, read from Kafka by a new owner."""
    with Broker() as broker:
        settings = Settings(broker=broker.bootstrap, partitions=1)
        admin.create(settings)
        world = World(broker.bootstrap, settings.prefix, partitions=1)
        entries = (entry for number in range(count) for entry in _entries(number))
        producer = world.producer(**{"linger.ms": 20})
        for written, one in enumerate(entries):
            producer.produce(settings.topic(one.topic), one.value, one.key, partition=0)
            if written % 20_000 == 0:
                producer.flush()
        assert producer.flush(120) == 0
        manifest = b"{}"
        producer.produce(settings.topic("manifests"), manifest, b"w", partition=0)
        head = Head(count, prev=sha256(manifest).hexdigest(), at=NOW)
        producer.produce(settings.topic("ledger"), head.encode(), HEAD, partition=0)
        assert producer.flush(120) == 0
        copied, found = CopyPosition(head, count, 0), dict[str, float]()
        with tempfile.TemporaryDirectory() as home:
            for form, kept in (("from nothing", home), ("again", home), ("in memory", None)):
                with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as alone:
                    figures = alone.submit(_owner, settings, copied, kept).result()
                found |= {f"{name}, {form}": figure for name, figure in figures.items()}
        return found


def barrier(count: int) -> Figures:
    """One round of the barrier's question over so many fact partitions."""
    with Broker() as broker:
        settings = Settings(broker=broker.bootstrap, partitions=max(1, count // (len(FACT_TOPICS) - 1)))
        admin.create(settings)
        return asyncio.run(_asked(settings))


def partitions(count: int) -> Figures:
    """One worker and so many partitions of `sends`."""
    return _judged(PEOPLE, SENDS, partitions=count)


def processes(count: int) -> Figures:
    """Medians for several processes of `gatekeeper worker` on this machine, in turn with one."""
    runs = [(_judged(PEOPLE, SENDS), _judged(PEOPLE, SENDS, processes=count)) for _ in range(TURNS)]
    alone, found = (median(run[turn]["sends/s"] for run in runs) for turn in (0, 1))
    return {"sends/s": found, "times one": found / alone, "MB": median(run[1]["MB"] for run in runs)}


def campaign(count: int) -> Figures:
    """A campaign of so many pieces to people of whom nothing is known: all are withheld, and nothing is remembered."""
    return _judged(0, count)


DIMENSIONS: Mapping[str, Dimension] = {
    "people": Dimension(
        "people", (10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000), people, 100_000_000, ("MB", "s to read")
    ),
    "events": Dimension("events of a person", (2, 5, 10, 20, 40, 60), events),
    "clearances": Dimension(
        "live clearances",
        (1_000, 10_000, 100_000, 500_000, 2_000_000),
        clearances,
        100_000_000,
        tuple(f"{figure}, {form}" for form in ("from nothing", "again", "in memory") for figure in ("MB", "s")),
    ),
    "barrier": Dimension("fact partitions", (8, 24, 96, 240, 768), barrier, 5_000, ("ms", "ms of processor")),
    "partitions": Dimension("partitions", (1, 4, 16), partitions),
    "processes": Dimension("processes", (2,), processes),
    "campaign": Dimension("pieces", (1_000, 10_000, 100_000, 500_000, 2_000_000), campaign),
}


def _facts(count: int) -> Iterator[tuple[str, object]]:
    retailer = Retailer(people=count, today=date.today())
    yield from retailer.reference()
    yield from retailer.facts()


def _entries(number: int) -> tuple[Entry, Entry]:
    """The worker's entries for a send to another person each: its clearance, and the salt of the person."""
    name = f"R{number:09}"
    fields = {"recipient_id": name, "event_id": f"DM-2026-AUTUMN-{name}", "campaign_id": "DM-2026-AUTUMN"}
    sent = parsed(Send.model_validate_json(orjson.dumps(invented.send(mail_date="2026-12-10", **fields))))
    did = f"{number:026}".translate(str.maketrans("0123456789", "ABCDEFGHIJ"))
    src = {"topic": "mail.sends.v1", "partition": 0, "offset": number, "timestamp": NOW}
    told = {"basis": f"S-{number}", "released": False, "src": src, "printed": _at_point()}
    cleared = clearance(sent, did=did, at=NOW, until=NOW + 30 * DAY_MS + number % DAY_MS, **told)
    return cleared, salt(name, 1, number.to_bytes(SALT_BYTES))


@functools.cache
def _at_point() -> Printed | None:
    return printed(invented.TOKENS, Send.model_validate_json(orjson.dumps(invented.send())))


def _owner(settings: Settings, copied: CopyPosition, home: str | None) -> Figures:
    """The figures of a new owner with a copy below `home`, or without one. Each has a process of its own."""
    before, began, used = private(), time.perf_counter(), time.process_time()
    end, people = asyncio.run(_taken_over(settings, copied, home))
    took = time.perf_counter() - began
    assert people == copied.ledger
    return {"MB": (end - before) / 1e6, "s": took, "µs each": (time.process_time() - used) / people * 1e6}


async def _taken_over(settings: Settings, copied: CopyPosition, home: str | None) -> tuple[int, int]:
    """The process's private bytes, and the ledger's people, after a take-over that writes to the copy."""
    copies = KeptLedgers(Path(home), identity=b"", key=invented.KEY, keep_ms=DAY_MS) if home else None
    clients, copy = Clients(settings), copies.of_partition(0, {}) if copies else None
    if copy is not None:
        await copy.open()
    probe = offsets.Probe(clients.reader(), clients.ends())
    await asyncio.gather(probe.start(), probe.ends.start())
    try:
        found = await ledger_reader.read(probe, settings, 0, copy, now=time.time_ns() // 1_000_000)
        if copy is not None and (cut := copy.cut(0.0)) is not None:
            copy.write(cut, copied)
        return private(), found.state.people
    finally:
        await asyncio.gather(probe.stop(), probe.ends.stop(), *((copy.close(),) if copy else ()))


async def _asked(settings: Settings) -> Figures:
    ends = Clients(settings).ends()
    await ends.start()
    topics = [settings.topic(name) for name in FACT_TOPICS]
    taken = []
    for number in range(2 * ROUNDS):
        if number == ROUNDS:
            used = time.process_time()  # the first half warms up
        began = time.perf_counter()
        await ends.of_topics(topics)
        taken.append((time.perf_counter() - began) * 1000)
    used = (time.process_time() - used) / ROUNDS * 1000
    await ends.stop()
    last = sorted(taken[ROUNDS:])
    return {"ms": median(last), "ms, 99 of 100": last[ROUNDS * 99 // 100], "ms of processor": used}


def _judged(known: int, sends: int, *, partitions: int = 4, processes: int = 1) -> Figures:
    """Workers judge waiting sends, to people with facts in turn if `known` is not 0."""
    with ExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory()))
        broker = held.enter_context(Broker(folder / "kafka"))
        world = World(broker.bootstrap, "growth.", partitions=partitions)
        admin.create(world.settings)
        for topic, value in _facts(max(known, 10)):
            world.put(topic, [(subject_key(topic, value), encode(value))])
        world.put("sends", list(_sends(known, sends)))
        watched = Watched(world)
        started = held.enter_context(world.process(folder / "log", None, "--processes", str(processes)))
        assert started.process
        until(lambda: watched.end() > 0, "the first record", 120.0)
        found = watched.judged(sends, pid=started.process.pid, broker=broker.pid)
        return {"sends/s": found.sends_a_second, "MB": proportional(started.process.pid)}


def _sends(known: int, count: int) -> Iterator[tuple[str, bytes]]:
    if not known:
        value = orjson.dumps(invented.send(controller_id="RETAILER", recipient_id="P-1"))
        for number in range(count):
            name = f"N{number:09}"
            yield name, value.replace(b'"P-1"', b'"%s"' % name.encode()).replace(b'"E-1"', b'"E-%d"' % number)
        return
    for send in Retailer(people=known, today=date.today()).sends(count):
        yield send.recipient_id, encode(send)
