"""Writes to a gate all that people write to one, many things at once, and keeps a journal of what was acknowledged.

A process of its own: `python -m tests.chaos.driver BOOTSTRAP PREFIX PARTITIONS JOURNAL SEED [FIRST]`. It works until
its standard input ends, and then ends when Kafka has acknowledged all that it wrote. FIRST: its names and ids begin
there, so that another driver before it has others.
"""

from __future__ import annotations

import json
import random
import sys
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, KafkaException, Producer

from tests.chaos.journal import UNKNOWN, Journal, Kind, Said
from tests.support import staff
from tests.support.invented import item_act, named_item
from tests.support.world import consent_of, send_to, source_of

RATE = 60
"""Ordinary sends a second."""
CROWD = 400
"""People who have agreed and never say no."""
PATIENCE = 20
"""Somebody says no when so many others have agreed since: by then the agreement is known to the gate."""
ACTS = ("release", "release", "uphold", "ask", "redecide", "undo")
NO = {"state": "Withdrawn", "channels": "*"}
FOREIGN_SECONDS = 5
"""Seconds that a transaction stays open which its producer forgot."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A record to write, and how the journal names it."""

    kind: Kind
    id: str
    person: str
    topic: str
    value: dict[str, Any] | bytes
    key: str | None = None
    partition: int = -1


class Hand:
    """One producer, which says when each of its records was begun and acknowledged.

    The person in `by` signs an act, and hanako signs a record of `reference`.
    """

    def __init__(self, bootstrap: str, prefix: str, journal: Journal, **more: Any) -> None:
        self._prefix, self._journal, self._origin = prefix, journal, f"{prefix}gk"
        self.producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "enable.idempotence": True,
                "max.in.flight": 1,  # as of `tests.support.world.World.producer`
                "partitioner": "murmur2_random",
                "message.timeout.ms": 0,
                "socket.timeout.ms": FOREIGN_SECONDS * 1000,
                "linger.ms": 1,
                "log_level": 0,
                **more,
            }
        )
        self._open: list[Said] = []

    def write(self, entries: Iterable[Entry]) -> None:
        """Returns when all are acknowledged, however long that takes."""
        self._begin(entries, lambda said: self._journal.write(said))
        while self.producer.flush(1):
            pass

    def write_in_transaction(self, entries: Iterable[Entry]) -> None:
        """Returns when all are written, in a transaction that is still open."""
        self._open.clear()
        self._begin(entries, self._open.append)
        while self.producer.flush(1):
            pass

    def ended(self, *, aborted: bool) -> None:
        """Puts what the last transaction held into the journal."""
        now = time.monotonic()
        for said in self._open:
            settled = {"acknowledged": None if aborted else now, "aborted": aborted}
            fields = {name: getattr(said, name) for name in ("kind", "id", "person", "topic", "partition", "offset")}
            self._journal.write(Said(**fields, began=said.began, **settled))

    def _begin(self, entries: Iterable[Entry], keep: Callable[[Said], None]) -> None:
        for entry in entries:
            began = time.monotonic()

            def delivered(error: Any, message: Any, entry: Entry = entry, began: float = began) -> None:
                now = None if error else time.monotonic()
                known = error is None and message.offset() is not None  # a repeated one may be acknowledged without
                place = message.partition(), message.offset() if known else UNKNOWN
                keep(Said(entry.kind, entry.id, entry.person, entry.topic, *place, began, now))

            data = entry.value if isinstance(entry.value, bytes) else json.dumps(entry.value).encode()
            key, name = entry.person if entry.key is None else entry.key, f"{self._prefix}{entry.topic}.v1"
            headers = staff.signature(data, origin=self._origin) if entry.topic == "acts" else []
            self.producer.produce(name, data, key, partition=entry.partition, headers=headers, on_delivery=delivered)
            if entry.topic == "reference":
                for of, value in staff.signed((key, data), "hanako", origin=self._origin)[1:]:
                    self.producer.produce(name, value, of)
            self.producer.poll(0)


class Driver:
    """All who write, each in a thread of its own."""

    def __init__(
        self, bootstrap: str, prefix: str, partitions: int, journal: Journal, seed: int, first: int = 0
    ) -> None:
        self._first = first
        self._bootstrap, self._prefix, self._partitions, self._journal = bootstrap, prefix, partitions, journal
        self._seed, self._over = seed, threading.Event()
        self._ids = iter(range(first, 10**9))
        self._lock = threading.Lock()
        self._crowd = [f"crowd{number}" for number in range(CROWD)]

    def run(self) -> None:
        """Returns after standard input has ended, and all is acknowledged."""
        self._hand().write(entry for name in self._crowd for entry in agreed(name))
        jobs = (self._ordinary, self._noes, self._reviewers, self._campaigns, self._lists, self._poison, self._foreign)
        with ThreadPoolExecutor(len(jobs)) as pool:
            running = [pool.submit(job, random.Random(f"{self._seed}/{job.__name__}")) for job in jobs]
            print("driving", flush=True)
            sys.stdin.read()
            self._over.set()
            for one in running:
                one.result()

    def _hand(self, **more: Any) -> Hand:
        return Hand(self._bootstrap, self._prefix, self._journal, **more)

    def _send(self, name: str, **more: Any) -> Entry:
        with self._lock:
            number = next(self._ids)
        return Entry("send", f"e-{number}", name, "sends", send_to(name, number, **more))

    def _ordinary(self, chance: random.Random) -> None:
        """A platform: bursts to people who agreed, and to some of whom nothing is known."""
        hand = self._hand()
        while not self._over.wait(count / RATE if (count := chance.randrange(1, 60)) else 0):
            names = [chance.choice(self._crowd) for _ in range(count)]
            names = [name if chance.random() < 0.8 else f"unknown-{name}" for name in names]
            hand.write([self._send(name) for name in names])

    def _noes(self, chance: random.Random) -> None:
        """People who agree, get something, say no, and are written to all the same."""
        hand, number = self._hand(**{"linger.ms": 0}), self._first
        while not self._over.wait(chance.expovariate(8)):
            name = f"no{number}"
            hand.write([*agreed(name), self._send(name)])
            if (gone := number - PATIENCE) >= self._first:
                hand.write([no(f"no{gone}")])
                hand.write([self._send(f"no{gone}")])
            number += 1

    def _reviewers(self, chance: random.Random) -> None:
        """Two people who work the queue of what was withheld, and know nothing of each other."""
        hand, items, number = self._hand(), self._items(), self._first
        while not self._over.wait(chance.expovariate(4)):
            young = f"young{number}"
            hand.write([*agreed(young, may_be_minor=True), self._send(young), self._send(f"silent{number}")])
            number += 1
            for item in items():
                if item["recipient_id"].startswith("silent") and chance.random() < 0.5:
                    hand.write(agreed(item["recipient_id"]))
                acts = [self._act(chance.choice(ACTS), by, item) for by in ("hanako", "taro") for _ in range(2)]
                hand.write(acts)
                if item["recipient_id"].startswith("young") and chance.random() < 0.3:
                    hand.write([no(item["recipient_id"])])
                    hand.write([self._act("release", "kenji", item)])

    def _act(self, kind: str, by: str, item: dict[str, Any]) -> Entry:
        with self._lock:
            id_ = f"act-{next(self._ids)}"
        value = item_act(kind, item, act_id=id_, by=by, reason="looked at it", at=now())
        return Entry("act", id_, item["recipient_id"], "acts", value, partition=item["review"]["partition"])

    def _new(self, topic: str, reader: str) -> Callable[[], list[Any]]:
        """Returns what tells the new records of a topic to somebody who reads it."""
        consumer = Consumer(
            {
                "bootstrap.servers": self._bootstrap,
                "group.id": reader,
                "auto.offset.reset": "earliest",
                "isolation.level": "read_committed",
                "log_level": 0,
            }
        )
        consumer.subscribe([f"{self._prefix}{topic}.v1"])
        return lambda: [message for message in consumer.consume(500, 0.05) if not message.error()]

    def _items(self) -> Callable[[], list[dict[str, Any]]]:
        """Returns what tells the new items of people whom reviewers look at."""
        withheld = self._new("review", "reviewers")

        def new() -> list[dict[str, Any]]:
            return [
                named_item(one.value(), one.headers(), one.partition(), one.offset())
                for one in withheld()
                if one.key().startswith((b"young", b"silent"))
            ]

        return new

    def _campaigns(self, chance: random.Random) -> None:
        """Campaigns that are handed off while some of their people say no, before it and after it.

        Some at any time; the others, as people do it, when somebody's piece is cleared.
        """
        hand, number, cleared = self._hand(), self._first, self._new("cleared", "marketers")
        while not self._over.wait(chance.uniform(2, 4)):
            id_, names = f"camp{number}", [f"camp{number}-{one}" for one in range(12)]
            hand.write(entry for name in names for entry in (*agreed(name), self._send(name, campaign_id=id_)))
            number += 1
            if self._over.wait(chance.uniform(0.5, 2)):
                return
            waits, keys = chance.random() < 0.7, {name.encode() for name in names}
            while waits and keys.isdisjoint(message.key() for message in cleared()):
                if self._over.is_set():
                    return
            hand.write(no(name) for name in names[::3])
            act = {"v": 1, "kind": "handoff", "act_id": f"run-{id_}", "subject": f"campaign/{id_}", "by": "hanako"}
            hand.write(
                Entry("handoff", f"run-{id_}/{p}", "", "acts", act | {"at": now()}, act["subject"], p)
                for p in range(self._partitions)
            )
            hand.write(no(name) for name in names[1::3])

    def _lists(self, chance: random.Random) -> None:
        """Lists that turn out to be wrong, when what they led to has gone out."""
        hand, number = self._hand(), self._first
        while not self._over.wait(chance.uniform(4, 8)):
            id_, names = f"L{number}", [f"list{number}-{one}" for one in range(30)]
            hand.write(entry for name in names for entry in (*agreed(name, batch_id=id_), self._send(name)))
            number += 1
            if self._over.wait(chance.uniform(1, 4)):
                return
            frozen = {"v": 1, "kind": "batch", "id": id_, "state": "quarantined"}
            began = time.monotonic()
            hand.write([Entry("fact", id_, "", "reference", frozen, f"batch/{id_}")])
            for name in names:
                self._journal.write(Said("no", f"{id_}/{name}", name, "reference", 0, UNKNOWN, began, time.monotonic()))
            hand.write(self._send(name) for name in names[:5])

    def _poison(self, chance: random.Random) -> None:
        """Writes values that are no JSON, and values of another kind than the topic's."""
        hand, number = self._hand(), self._first
        spoilt = (b"", b"no JSON", b"\xff\xfe", b"{}", b'{"v":1}', b'{"v":9,"kind":"consent"}', b"[" * 500)
        while not self._over.wait(chance.expovariate(1.5)):
            topic, id_ = chance.choice(("sends", "consents", "sources", "suppressions", "acts")), f"poison{number}"
            hand.write([Entry("poison", id_, "", topic, chance.choice(spoilt), id_)])
            number += 1

    def _foreign(self, chance: random.Random) -> None:
        """Somebody else's transactions: most are aborted, one is committed, some are left open."""
        number = self._first
        while not self._over.wait(chance.uniform(6, 12)):
            name, way = f"foreign{number}", chance.choice(("abort", "abort", "commit", "forget"))
            number += 1
            timeout = {"transaction.timeout.ms": FOREIGN_SECONDS * 1000, "transactional.id": f"{self._prefix}{name}"}
            hand, plain = self._hand(**timeout, **{"message.timeout.ms": FOREIGN_SECONDS * 1000}), self._hand()
            plain.write([agreed(name)[0], *([no(name)] if way != "commit" else [])])
            with suppress(KafkaException):
                hand.producer.init_transactions(30)
                hand.producer.begin_transaction()
                hand.write_in_transaction([agreed(name)[1], self._send(name), self._send(name)])
                self._over.wait(chance.uniform(0.2, 3))
                if way == "commit":
                    hand.producer.commit_transaction(30)
                elif way == "abort":
                    hand.producer.abort_transaction(30)
                hand.ended(aborted=way != "commit")
            plain.write([self._send(name)])


def agreed(name: str, **more: Any) -> tuple[Entry, Entry]:
    """Returns a person's source and consent: a send to them is clear."""
    return (
        Entry("fact", f"s-{name}", name, "sources", source_of(name, **more)),
        Entry("fact", f"c-{name}", name, "consents", consent_of(name)),
    )


def no(name: str) -> Entry:
    return Entry("no", f"no-{name}", name, "consents", consent_of(name, **NO))


def now() -> str:
    return datetime.now(UTC).isoformat()


if __name__ == "__main__":
    bootstrap, prefix, partitions, path, *numbers = sys.argv[1:]
    Driver(bootstrap, prefix, int(partitions), Journal(Path(path)), *map(int, numbers)).run()
