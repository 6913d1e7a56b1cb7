"""The outbox: a SQLite file of events, with a queue for each endpoint and the positions in the topics.

One transaction writes an event together with the position behind its cause. So each event is taken in once, and
delivered at least once. Several processes may use the file: the one that delivers, and commands.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from gatekeeper.webhooks.endpoints import Endpoint
from gatekeeper.webhooks.outbox_file import OutboxFile
from gatekeeper.webhooks.retries import GIVE_UP_SECONDS
from schemas.codec import encode
from schemas.topics import CLEARED_DAYS, DAY_MS
from schemas.values import Model
from streams.client.proven_position import ProvenPosition

KEPT_MS = 30 * DAY_MS
"""Milliseconds for which dead letters are kept, events that wait, and those of endpoints that left the file."""
KNOWN_MS = 120 * DAY_MS
"""Milliseconds for which an id is known as queued: longer than any topic keeps its cause."""
MOST_ROWS = 1_000
"""Rows of a table that one transaction moves or deletes, so that no other waits long for it."""
_PAST = (
    "DELETE FROM item WHERE id IN (SELECT id FROM item WHERE due < :now LIMIT :most)",
    "DELETE FROM told WHERE name IN (SELECT name FROM told WHERE name GLOB 'deadline/*' AND at < :old LIMIT :most)",
    "DELETE FROM queued WHERE id IN (SELECT id FROM queued WHERE at < :known LIMIT :most)",
    "DELETE FROM company WHERE campaign IN (SELECT id FROM campaign WHERE last < :ended LIMIT :most)",
    "DELETE FROM campaign WHERE id IN (SELECT id FROM campaign WHERE last < :ended LIMIT :most)",
)
_PAST_EVENTS = (
    "DELETE FROM dead WHERE (event, endpoint) IN (SELECT event, endpoint FROM dead WHERE at < :old LIMIT :most)"
    " RETURNING event",
    "DELETE FROM owed WHERE (event, endpoint) IN (SELECT event, endpoint FROM owed WHERE since < :old"
    " AND endpoint NOT IN (SELECT value FROM json_each(:endpoints)) LIMIT :most) RETURNING event",
)


@dataclass(frozen=True, slots=True)
class Owed:
    """An event that an endpoint has not taken. `since`, `next`, `at`: milliseconds. `answer`: that of the last try."""

    endpoint: str
    event: int
    id: str
    type: str
    at: int
    body: bytes
    since: int
    tries: int
    answer: str | None


@dataclass(frozen=True, slots=True)
class Backlog:
    """The state of one endpoint. `waiting`: events to deliver; `tried`: those of them that failed before.

    `oldest`: since when one waits; `answer`: that of its last try. `dead`: dead letters. `gone`: since when it answers
    410. Times are in milliseconds. `types`: of what waits, with their numbers.
    """

    waiting: int
    tried: int
    oldest: int | None
    answer: str | None
    dead: int
    gone: int | None
    types: dict[str, int]


def event_id(kind: str, *fact: object) -> str:
    """The id of an event, made from its fact alone. It is the same at each delivery."""
    named = "\0".join(("gate/webhook/1", kind, *map(str, fact)))
    return f"evt_{sha256(named.encode()).hexdigest()[:32]}"


class Outbox(OutboxFile):
    """The queues in the file, and its positions."""

    # -- what was read ----------------------------------------------------------------------------------

    def positions(self, topic: str) -> dict[int, ProvenPosition]:
        """The position in each partition of a topic."""
        query = "SELECT part, next, last, hash FROM position WHERE topic = ?"
        with self.disk():
            return {part: ProvenPosition(*position) for part, *position in self.db.execute(query, (topic,))}

    def reach(self, topic: str, positions: Mapping[int, ProvenPosition]) -> None:
        """Moves the positions in a topic, inside of `change`."""
        rows = [(topic, part, *position) for part, position in positions.items()]
        self.db.executemany("INSERT OR REPLACE INTO position VALUES (?, ?, ?, ?, ?)", rows)

    def unread(self) -> None:
        """Forgets all that was read, inside of `change`. What was ever queued is known, and is not queued again."""
        for table in ("position", "campaign", "company", "item"):
            self.db.execute(f"DELETE FROM {table}")  # noqa: S608 - no name comes from outside

    def news(self, name: str, what: str, *, now: int) -> bool:
        """True if this is not what was told last under that name; notes it, inside of `change`."""
        if self.db.execute("SELECT 1 FROM told WHERE name = ? AND what = ?", (name, what)).fetchone():
            return False
        self.db.execute("INSERT OR REPLACE INTO told VALUES (?, ?, ?)", (name, what, now))
        return True

    def put(
        self,
        event: Model,
        id_: str,
        endpoints: Sequence[Endpoint],
        *,
        now: int,
        campaign: str | None = None,
        companies: Collection[str | None] = (),
    ) -> None:
        """Queues an event for each endpoint that wants it, inside of `change`; one that was queued before is not."""
        kind: str = event.type  # type: ignore[attr-defined]
        if not self.db.execute("INSERT OR IGNORE INTO queued VALUES (?, ?)", (id_, now)).rowcount:
            return
        takers = [endpoint.id for endpoint in endpoints if endpoint.wants(kind, campaign, companies)]
        if not takers:
            return
        row = self.db.execute(
            "INSERT INTO event (id, type, at, body) VALUES (?, ?, ?, ?) RETURNING number",
            (id_, kind, now, encode(event)),
        ).fetchone()
        self.db.executemany(
            "INSERT INTO owed VALUES (?, ?, ?, ?, 0, NULL, NULL)", [(name, row[0], now, now) for name in takers]
        )

    def companies(self, campaign: str) -> set[str]:
        """The companies of a campaign's sends."""
        return {row[0] for row in self.db.execute("SELECT controller FROM company WHERE campaign = ?", (campaign,))}

    # -- what is owed -----------------------------------------------------------------------------------

    def due(self, endpoint: str, now: int, most: int) -> list[Owed]:
        """Up to `most` events that an endpoint is to be sent by that instant, those that wait longest first."""
        return self._rows(
            "SELECT endpoint, event, id, type, at, body, since, tries, answer FROM owed JOIN event ON number = event"
            " WHERE endpoint = ? AND next <= ? ORDER BY next, event LIMIT ?",
            (endpoint, now, most),
        )

    def delivered(self, one: Owed) -> None:
        """Takes an event off the queue."""
        with self.change() as db:
            db.execute("DELETE FROM owed WHERE endpoint = ? AND event = ?", (one.endpoint, one.event))
            self._drop(db, one.event)

    def failed(self, one: Owed, answer: str, *, now: int, next_: int) -> bool:
        """Notes a failed try, and when the next one is due. True if it was the last, and the event is a dead letter.

        It is the last one if the first failed GIVE_UP_SECONDS ago or more.
        """
        key = one.endpoint, one.event
        with self.change() as db:
            row = db.execute(
                "UPDATE owed SET tries = tries + 1, answer = ?, next = ?, failed = coalesce(failed, ?)"
                " WHERE endpoint = ? AND event = ? RETURNING failed, tries",
                (answer, next_, now, *key),
            ).fetchone()
            if row is None or now - row[0] < GIVE_UP_SECONDS * 1000:
                return False
            db.execute("DELETE FROM owed WHERE endpoint = ? AND event = ?", key)
            db.execute("INSERT OR REPLACE INTO dead VALUES (?, ?, ?, ?, ?)", (*key, now, row[1], answer))
            return True

    def is_gone(self, endpoint: str) -> bool:
        """True from an endpoint's answer 410 until somebody replays its events."""
        with self.disk():
            return self.db.execute("SELECT 1 FROM gone WHERE endpoint = ?", (endpoint,)).fetchone() is not None

    def leave(self, endpoint: str, *, now: int) -> None:
        """Notes that an endpoint answered 410."""
        with self.change() as db:
            db.execute("INSERT OR IGNORE INTO gone VALUES (?, ?)", (endpoint, now))

    def give_up(self, endpoint: str, answer: str | None = None, *, now: int, before: int | None = None) -> int:
        """Makes what is owed to an endpoint dead letters, MOST_ROWS at most; returns their number.

        `answer`: instead of that of the last try. `before`: only what was queued before that time.
        """
        values = {"endpoint": endpoint, "answer": answer, "now": now, "before": before, "most": MOST_ROWS}
        with self.change() as db:
            rows = db.execute(
                "DELETE FROM owed WHERE endpoint = :endpoint AND event IN (SELECT event FROM owed"
                " WHERE endpoint = :endpoint AND (:before IS NULL OR since < :before) LIMIT :most)"
                " RETURNING endpoint, event, :now, tries, coalesce(:answer, answer)",
                values,
            ).fetchall()
            db.executemany("INSERT OR REPLACE INTO dead VALUES (?, ?, ?, ?, ?)", rows)
        return len(rows)

    # -- for people -------------------------------------------------------------------------------------

    def dead(self, endpoint: str | None = None) -> list[Owed]:
        """The dead letters of an endpoint, or of all, the oldest first. `since`: when each was given up."""
        return self._rows(
            "SELECT endpoint, event, id, type, event.at, body, dead.at, tries, answer FROM dead JOIN event"
            " ON number = event WHERE ?1 IS NULL OR endpoint = ?1 ORDER BY dead.at, event",
            (endpoint,),
        )

    def replay(self, endpoint: str, ids: Sequence[str], *, now: int) -> int:
        """Queues dead letters of an endpoint again, all of them without `ids`; returns their number.

        An endpoint that was gone is tried again.
        """
        query = "SELECT event, id FROM dead JOIN event ON number = event WHERE endpoint = ?"
        with self.disk():
            rows = self.db.execute(query, (endpoint,)).fetchall()
        keys = [(endpoint, event) for event, id_ in rows if not ids or id_ in ids]
        with self.change() as db:
            db.execute("DELETE FROM gone WHERE endpoint = ?", (endpoint,))
        n = 0
        for first in range(0, len(keys), MOST_ROWS):
            some = keys[first : first + MOST_ROWS]
            with self.change() as db:
                db.executemany(
                    "INSERT OR IGNORE INTO owed SELECT endpoint, event, ?, ?, 0, NULL, NULL FROM dead"
                    " WHERE endpoint = ? AND event = ?",
                    [(now, now, *key) for key in some],
                )
                n += db.executemany("DELETE FROM dead WHERE endpoint = ? AND event = ?", some).rowcount
        return n

    def backlog(self, endpoint: str) -> Backlog:
        """The state of an endpoint."""
        with self.disk():
            owed = self.db.execute(
                "SELECT type, count(*), total(tries > 0) FROM owed JOIN event ON number = event WHERE endpoint = ?"
                " GROUP BY type",
                (endpoint,),
            ).fetchall()
            since, answer = self.db.execute(
                "SELECT since, answer FROM owed WHERE endpoint = ? ORDER BY since LIMIT 1", (endpoint,)
            ).fetchone() or (None, None)
            dead = self.db.execute("SELECT count(*) FROM dead WHERE endpoint = ?", (endpoint,)).fetchone()[0]
            gone = self.db.execute("SELECT at FROM gone WHERE endpoint = ?", (endpoint,)).fetchone()
        types, tried = {kind: n for kind, n, _ in owed}, sum(int(retried) for *_, retried in owed)
        return Backlog(sum(types.values()), tried, since, answer, dead, gone[0] if gone else None, types)

    def forget(self, now: int, known: Sequence[str]) -> bool:
        """Deletes state of the past, old dead letters, and old events of endpoints that are not `known`.

        Deletes up to MOST_ROWS of each; True if that was all.
        """
        values: dict[str, object] = {"now": now, "old": now - KEPT_MS, "ended": now - CLEARED_DAYS * DAY_MS}
        values |= {"endpoints": json.dumps(list(known)), "known": now - KNOWN_MS, "most": MOST_ROWS}
        with self.change() as db:
            numbers = [db.execute(statement, values).rowcount for statement in _PAST]
            for statement in _PAST_EVENTS:
                events = db.execute(statement, values).fetchall()
                numbers.append(len(events))
                for (event,) in events:
                    self._drop(db, event)
        return max(numbers) < MOST_ROWS

    def _rows(self, query: str, values: Sequence[object]) -> list[Owed]:
        with self.disk():
            return [Owed(*row) for row in self.db.execute(query, values).fetchall()]

    def _drop(self, db: sqlite3.Connection, event: int) -> None:
        db.execute(
            "DELETE FROM event WHERE number = ?1 AND NOT EXISTS (SELECT 1 FROM owed WHERE event = ?1)"
            " AND NOT EXISTS (SELECT 1 FROM dead WHERE event = ?1)",
            (event,),
        )
