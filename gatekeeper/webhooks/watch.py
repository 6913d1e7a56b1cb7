"""Looks at the topics, the workers' group and the sealed log, and queues the events that follow, in the outbox."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import islice

import structlog

from gatekeeper.audit.log.seal_status import SealStatus
from gatekeeper.ground import times
from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.settings import Settings
from gatekeeper.policy.packs import load
from gatekeeper.webhooks import occurrences
from gatekeeper.webhooks.endpoints import Endpoint
from gatekeeper.webhooks.outbox import Outbox, event_id
from schemas.record import Record
from schemas.topics import CLEARED_DAYS, DAY_MS
from schemas.webhooks import PartitionRefusedWebhook, RefusedPartition
from streams.client import admin, progress
from streams.client.proven_position import ProvenPosition, differing, proven
from streams.client.reader import Reader
from streams.operations import fleet

TOPICS_READ = ("recalls", "audit")
SLICE = 20_000
"""Records of a topic that one look takes, at most, so that no topic keeps another waiting."""
BATCH = 500
"""Records in one transaction of the outbox."""
BEGINNING = ProvenPosition(0)
STATE_MS = 10_000
"""Time between two looks at partitions, seal and deadlines, in milliseconds."""
log = structlog.get_logger(__name__)


class Watch:
    """Looks for events, each time from where the last look ended. `clock`: gives milliseconds since the epoch.

    `since`: where a new outbox begins, in milliseconds; None for now. Raises UsageError (2) if it has begun already.
    """

    def __init__(
        self,
        settings: Settings,
        outbox: Outbox,
        endpoints: Sequence[Endpoint],
        clock: Callable[[], int],
        *,
        since: int | None = None,
    ) -> None:
        self._settings, self._outbox, self._endpoints, self._clock = settings, outbox, endpoints, clock
        self._since = since
        self._zone = load(settings.policy).home[0].timezone
        self._begun = 0
        self._proven = (-1, -1)
        """The connections of the reader when the positions were proven last."""
        self._looked_at = 0
        self._goal: tuple[int, Mapping[int, int]] | None = None
        self._audit: Mapping[int, int] | None = None
        self._unread: str | None = None
        if since is not None and outbox.about("system") is not None:
            raise UsageError("error.webhooks_begun", folder=outbox.path.parent)

    def begin(self, reader: Reader) -> None:
        """Begins in a new outbox; raises UsageError (2) if the outbox was filled from other topics."""
        system = admin.identity(self._settings, TOPICS_READ)
        known = self._outbox.about("system")
        if known is None:
            begun = self._clock() if self._since is None else self._since
            starts = _starts(reader, begun)
            with self._outbox.change() as db:
                self._reach(starts)
                db.execute("INSERT INTO about VALUES ('system', ?), ('begun', ?)", (system, str(begun)))
        elif known != system:
            raise UsageError("error.webhooks_other_topics", folder=self._outbox.path.parent)
        self._begun = int(self._outbox.about("begun") or 0)
        self._prove(reader)

    def _prove(self, reader: Reader) -> None:
        """Reads anew all that the outbox is built from if a topic holds other records by now.

        Every event that was queued stays known: it is neither queued nor posted again.
        """
        self._proven = reader.connections
        positions = {
            (topic, number): position
            for topic in TOPICS_READ
            for number, position in self._outbox.positions(topic).items()
        }
        if others := differing(reader, positions):
            starts, self._goal, self._audit = _starts(reader, self._begun), None, None
            with self._outbox.change():
                self._outbox.unread()
                self._reach(starts)
            for topic, number in others:
                log.error("webhooks_rebuilt", topic=topic, partition=number)

    def _reach(self, starts: Mapping[str, Mapping[int, ProvenPosition]]) -> None:
        for topic, positions in starts.items():
            self._outbox.reach(topic, positions)

    def look(self, reader: Reader) -> bool:
        """Queues what is new; True if nothing is left to read. Raises as Reader and Outbox do."""
        now, endpoints = self._clock(), self._endpoints
        outbox = self._outbox
        if reader.connections != self._proven:
            self._prove(reader)
        every = self._take(reader, "recalls", lambda record: occurrences.recalled(outbox, record, endpoints, now=now))
        read = self._take(reader, "audit", lambda record: occurrences.audited(outbox, record, zone=self._zone, now=now))
        if read and (horizon := self._horizon(reader, now)):
            self._goal = self._audit = None
            with outbox.change():
                occurrences.decided(outbox, endpoints, begun=self._begun, horizon=horizon, now=now)
        if now - self._looked_at >= STATE_MS:
            self._states(reader, now, read=read)
            self._looked_at = now
        return every and read

    def _take(self, reader: Reader, topic: str, put: Callable[[Record], None]) -> bool:
        """Takes in up to SLICE records of a topic with their positions; True if its ends are reached.

        False also where a connection was made anew: the next look proves the positions first.
        """
        ends, reached = reader.ends(topic), self._outbox.positions(topic)
        if _passed(_nexts(reached), ends):
            return reader.connections == self._proven
        records, taken = reader.read(topic, behind=_nexts(reached)), 0
        while batch := list(islice(records, BATCH)):
            if reader.connections != self._proven:
                return False
            with self._outbox.change():
                for record in batch:
                    put(record)
                    reached[record.partition] = reached.get(record.partition, BEGINNING).behind(record)
                self._outbox.reach(topic, reached)
            taken += len(batch)
            if taken >= SLICE:
                return False
        if reader.connections != self._proven:
            return False
        with self._outbox.change():  # behind the last records stand markers of transactions
            moved = {number: reached.get(number, BEGINNING).moved(end) for number, end in ends.items()}
            self._outbox.reach(topic, moved)
        return True

    def _horizon(self, reader: Reader, now: int) -> int | None:
        """An instant before which every send that had arrived is decided, and its record taken in.

        None if nobody asks, or none is known yet. A transaction that stays open on `audit` holds up nothing else.
        """
        if not occurrences.quiet(self._outbox, begun=self._begun, now=now):
            return None
        if self._goal is None:
            self._goal = now, reader.ends("sends")
        at, ends = self._goal
        if self._audit is None:
            heads = progress.read(reader, unreadable={})
            if not _passed({number: head.sends for number, head in heads.items()}, ends):
                return None
            self._audit = reader.written("audit")
        return at if _passed(_nexts(self._outbox.positions("audit")), self._audit) else None

    def _states(self, reader: Reader, now: int, *, read: bool) -> None:
        refused = fleet.refused(self._settings, reader.ends("recalls"))
        seal, heads = self._seal(), progress.read(reader, unreadable={})
        with self._outbox.change():
            for number, cause in refused.items():
                data = RefusedPartition(
                    partition=number, reason=cause.key, since=times.instant(cause.since), resumable=cause.resumable
                )
                event = PartitionRefusedWebhook(type="partition.refused", timestamp=times.instant(now), data=data)
                fact = event_id(event.type, number, cause.key, cause.since)
                if self._outbox.news(f"partition/{number}", fact, now=now):
                    self._outbox.put(event, fact, self._endpoints, now=now)
            if seal is not None:
                newest = max((head.at for head in heads.values()), default=None)
                occurrences.sealed(self._outbox, seal, self._endpoints, decided=newest, now=now)
            if read:
                occurrences.near(self._outbox, self._endpoints, now=now)

    def _seal(self) -> SealStatus | None:
        """The seal, None if no endpoint asks about it. A new reason why it cannot be read goes to the process's log."""
        if not any(endpoint.wants("seal.late", None) for endpoint in self._endpoints):
            return None
        seal = fleet.seal(self._settings)
        unread = str(seal.error) if seal and seal.error else None
        if unread is not None and unread != self._unread:
            log.error("log_unreadable", error=unread)
        self._unread = unread
        return seal


def _starts(reader: Reader, begun: int) -> dict[str, dict[int, ProvenPosition]]:
    """The positions where an outbox begins. Items that wait and campaigns under way are known from before."""
    since = {"recalls": begun, "audit": begun - CLEARED_DAYS * DAY_MS}
    return {topic: proven(reader, topic, reader.since(topic, at)) for topic, at in since.items()}


def _nexts(positions: Mapping[int, ProvenPosition]) -> dict[int, int]:
    return {number: position.next for number, position in positions.items()}


def _passed(positions: Mapping[int, int], ends: Mapping[int, int]) -> bool:
    return all(positions.get(number, 0) >= end for number, end in ends.items())
