"""Measures a running process from outside: processor time, memory, bytes on disk, sends a second, latency."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import quantiles
from typing import NamedTuple

from confluent_kafka import Consumer, TopicPartition

from tests.support.world import World, until

DEADLINE = 900.0
QUIET_S = 1.5
"""Seconds without a new record after which a pass has ended."""
GIVEN_UP_S = 20.0
"""Seconds after which a candidate does nothing more, though sends are left: it has lost them."""
_EVENT = re.compile(rb'"event_id":"([^"]+)"')

Records = Sequence[tuple[bytes, bytes]]
"""Key and value."""


class Pass(NamedTuple):
    """One pass over waiting sends: sends a second, and µs of processor a send for candidate and broker."""

    sends_a_second: float
    cpu_us: float
    broker_us: float


class Watched:
    """The topics of one candidate, watched from outside."""

    def __init__(self, world: World) -> None:
        self._world, self._partitions = world, world.partitions
        self.before = 0
        """The end of `audit` before the pass."""

    def records(self, topic: str) -> Iterable[bytes]:
        """Every committed value of a topic."""
        reader = self._consumer(**{"enable.partition.eof": True})
        reader.assign([TopicPartition(self._world.topic(topic), number, 0) for number in range(self._partitions)])
        ends = 0
        while ends < self._partitions:
            for message in reader.consume(5_000, 1.0):
                if message.error():
                    ends += 1
                else:
                    yield message.value()
        reader.close()

    def end(self, topic: str = "audit") -> int:
        """The sum of the stable ends of a topic's partitions."""
        return sum(self._world.ends(topic))

    def first(self, pid: int) -> None:
        """Waits for the first record of a pass; raises AssertionError for a candidate that has ended."""
        until(lambda: self.end() > self.before or _ended(pid), "the first record", DEADLINE)
        assert not _ended(pid), "the candidate has ended: see its log"

    def judged(self, wanted: int, *, pid: int, broker: int) -> Pass:
        """Waits until so many sends more are on `audit`, and measures from the first committed ones to the last."""
        began = changed = time.perf_counter()
        first = last = self.end()
        spent, theirs = processor(pid), processor(broker)
        used = (spent, theirs)
        while True:
            now, end = time.perf_counter(), self.end()
            if end != last:
                last, changed, used = end, now, (processor(pid), processor(broker))
            elif now - changed > (QUIET_S if last - self.before >= wanted else GIVEN_UP_S):
                break
            time.sleep(0.02)
        between = max(last - first, 1)
        speed = between / max(changed - began, 0.001)
        return Pass(speed, (used[0] - spent) * 1e6 / between, (used[1] - theirs) * 1e6 / between)

    def latency(self, sends: Records, rate: int) -> tuple[float, float]:
        """Publishes at an even pace; p50 and p99 in ms from the publication to the committed record on `audit`.

        The first send goes before and does not count, as new clients may take a second for their first record.
        """
        published: dict[bytes, float] = {}
        reader, producer = self._consumer(), self._world.producer(**{"linger.ms": 0})
        audit, sends_topic = self._world.topic("audit"), self._world.topic("sends")
        reader.assign([TopicPartition(audit, number, end) for number, end in enumerate(self._world.ends("audit"))])
        took = list[float]()

        def publish(key: bytes, value: bytes) -> None:
            published[event(value)] = time.perf_counter()
            producer.produce(sends_topic, value, key)
            producer.poll(0)

        def flow() -> None:
            began = time.perf_counter()
            for number, (key, value) in enumerate(sends[1:]):
                if (early := began + number / rate - time.perf_counter()) > 0:
                    time.sleep(early)
                publish(key, value)
            producer.flush(60)

        def read(wanted: int) -> None:
            seen = time.monotonic()
            while len(took) < wanted and time.monotonic() - seen < GIVEN_UP_S:
                message = reader.poll(0.1)
                if message is not None and message.error() is None and (at := published.get(event(message.value()))):
                    took.append((time.perf_counter() - at) * 1e3)
                    seen = time.monotonic()

        publish(*sends[0])
        read(1)
        pacing = threading.Thread(target=flow)
        pacing.start()
        read(len(sends))
        pacing.join()
        reader.close()
        cuts = quantiles(took[1:], n=100)
        return cuts[49], cuts[98]

    def _consumer(self, **more: object) -> Consumer:
        settings = {"group.id": "benchmark", "enable.auto.commit": False, "isolation.level": "read_committed"}
        return Consumer({"bootstrap.servers": self._world.bootstrap, "log_level": 0, **settings, **more})


def event(value: bytes) -> bytes:
    """The event id in the bytes of a send, or of a record about it."""
    found = _EVENT.search(value)
    assert found, value[:80]
    return found[1]


def processor(pid: int) -> float:
    """Seconds of processor that a process and its children have used."""
    return sum(map(_used, _tree(pid)))


def resident(pid: int) -> float:
    """The most memory that a process and its children have had, in MB."""
    return sum(map(_peak, _tree(pid)))


def proportional(pid: int) -> float:
    """The memory that a process and its children have now, in MB. A shared page counts once."""
    return sum(map(_share, _tree(pid)))


def written(folder: Path, topics: Callable[[str], bool]) -> int:
    """Bytes on the broker's disk of the topics for which `topics` is true."""
    logs = (log for log in folder.glob("data/*/*.log") if topics(log.parent.name.rpartition("-")[0]))
    return sum(log.stat().st_size for log in logs)


def _ended(pid: int) -> bool:
    state = Path(f"/proc/{pid}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] == "Z"


def _tree(pid: int) -> list[int]:
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            found += map(int, task.read_text().split())
    return found


def _used(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _share(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) / 1e3 for line in lines if line.startswith("Pss:"))


def _peak(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1e3 for line in lines if line.startswith("VmHWM"))
