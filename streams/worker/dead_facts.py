"""The unreadable facts that a partition sets aside as dead letters, each once."""

from __future__ import annotations

from gatekeeper.engine.outputs import marked
from schemas.audit import Mode
from schemas.record import Coordinates
from streams.worker.chunks import CHUNK_BYTES
from streams.worker.ledger import Ledger, dead_key
from streams.worker.transaction import Transaction
from streams.worker.unread_facts import Unread
from streams.worker.worker_context import WorkerContext

DEAD_FACTS = 200
"""Unreadable facts in one transaction, at most."""


class DeadFacts:
    """The dead letters of one partition: it owes those of the partitions of facts whose number is its own."""

    def __init__(self, number: int, context: WorkerContext, ledger: Ledger) -> None:
        self._number, self._context, self._ledger = number, context, ledger

    def due(self) -> list[Coordinates]:
        """The unreadable facts to set aside next, as many as fit one transaction; the ledger knows those done."""
        partitions = self._context.settings.partitions
        places, size = [], 0
        for place, fact in self._context.followers.unreadable.items():
            if place[1] % partitions == self._number and dead_key(*place) not in self._ledger.dead:
                places.append(place)
                size += len(fact.key or b"") + len(fact.value or b"")
                if len(places) >= DEAD_FACTS or size > CHUNK_BYTES:
                    break  # the rest goes with the next transactions
        return places

    def add(self, transaction: Transaction) -> int:
        """Adds those that are due with their ledger entries, and returns their number."""
        places = self.due()
        for place in places:
            fact = self._context.followers.unreadable[place]
            transaction.add("deadletter", fact.key, fact.value, _headers(place, fact, self._context.settings.mode))
            key = dead_key(*place)
            transaction.add("ledger", key, b"{}")
            self._ledger.apply(key, b"{}")
        return len(places)


def _headers(place: Coordinates, fact: Unread, mode: Mode) -> list[tuple[str, bytes]]:
    name, _, where = fact.fault.partition(" at ")
    return [
        ("gate-reason", b"FACTS_UNAVAILABLE"),
        ("gate-fault", name.encode()),
        ("gate-place", where.encode()),
        ("gate-source", "/".join(map(str, place)).encode()),
        *([("gate-size", str(fact.size).encode())] if fact.size is not None else ()),
        ("gate-sha256", fact.sha256.encode()),
        ("gate-managers", str(fact.needed).encode()),
        *marked(mode),
    ]
