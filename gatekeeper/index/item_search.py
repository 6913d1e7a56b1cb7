"""Search for items in the read model: counts, lists by urgency, and groups by cause."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from gatekeeper.engine.item import WAITING
from gatekeeper.ground import times
from gatekeeper.index.access import SEE_ALL, Access
from gatekeeper.index.items import ITEMS, PENDING, WAITS, item_of
from gatekeeper.review.filter import ANY, FIELDS, Query, older_than
from gatekeeper.review.review_item import Item
from schemas.topics import DAY_MS

PAGE = 30
SOON_MS = 2 * DAY_MS
"""Time to the mail date that is urgent."""
ORDER = "ORDER BY due IS NULL, due, seen, id"
"""Sort order: the earliest mail date first, then the longest withheld."""
ORDERS = {"due": ORDER, "oldest": "ORDER BY seen, id", "newest": "ORDER BY seen DESC, id"}
"""Sort orders of a list, by name."""


@dataclass(frozen=True, slots=True)
class ItemSearch:
    """Query at an instant (milliseconds), with dates in `zone`; it finds the same items as `Query.matches`.

    `states`: the states to search when the query names none. `until`: number of a change; later items are left out.
    It finds only items for which `access` has all `rights`.
    """

    query: Query
    now: int
    zone: str
    states: Collection[str] = WAITING
    until: int | None = None
    access: Access = SEE_ALL
    rights: tuple[str, ...] = ("see",)

    def count(self, db: sqlite3.Connection) -> int:
        """The number of items found."""
        where, values = self.where()
        return int(db.execute(f"SELECT count(*) FROM item WHERE {where}", values).fetchone()[0])

    def items(self, db: sqlite3.Connection, *, most: int = -1, skip: int = 0, order: str = "due") -> Iterator[Item]:
        """Yields the items found in an order of ORDERS: skips `skip`, then yields at most `most` (-1: all)."""
        where, values = self.where()
        rows = db.execute(f"{ITEMS} WHERE {where} {ORDERS[order]} LIMIT ? OFFSET ?", (*values, most, skip))
        return (item_of(row) for row in rows)

    def groups(self, db: sqlite3.Connection) -> list[CauseGroup]:
        """The items found, grouped by cause and verdict.

        What can be cured comes first: of that, what is mailed within two days, and then the largest group.
        """
        where, values = self.where()
        rows = db.execute(
            f'SELECT "primary", origin, campaign, verdict, count(*) AS n, sum(ifnull(due <= {self.now:d}, 0)) AS late,'
            f" min(CASE WHEN due > {self.now:d} THEN due END) AS next,"
            f" sum(seen > {self.now - DAY_MS:d}) AS today, max(id) AS sample"
            f" FROM item WHERE {where} GROUP BY 1, 2, 3, 4 ORDER BY verdict = 'block' OR late = n,"
            f" ifnull(next > {self.now + SOON_MS:d}, 1), n DESC, next IS NULL, next, 1, 2, 3, 4",
            values,
        )
        return [CauseGroup(*row) for row in rows]

    def verdicts(self, db: sqlite3.Connection) -> dict[str, int]:
        """The number of items found by verdict."""
        where, values = self.where()
        return dict(db.execute(f"SELECT verdict, count(*) FROM item WHERE {where} GROUP BY 1", values))

    def nearest(self, db: sqlite3.Connection) -> tuple[int, int] | None:
        """The next mail date of the items found (milliseconds), and their number; None without one to come."""
        where, values = self.where()
        row = db.execute(
            f"SELECT due, count(*) FROM item WHERE {where} AND due > ? GROUP BY 1 ORDER BY 1 LIMIT 1",
            (*values, self.now),
        ).fetchone()
        return (row[0], row[1]) if row else None

    def since(self, db: sqlite3.Connection, change: int) -> tuple[int, list[str]]:
        """The number of items found that arrived after that change, and the ids of any items changed after it."""
        where, values = self.where()
        new = db.execute(f"SELECT count(*) FROM item WHERE arrived > ? AND {where}", (change, *values)).fetchone()[0]
        within, limits = self.access.where("see")
        rows = db.execute(
            f"SELECT id FROM item WHERE changed > ? AND arrived <= ? AND {within} LIMIT 1000", (change, change, *limits)
        )
        return int(new), [row[0] for row in rows]

    def after(self, db: sqlite3.Connection, item: Item) -> str | None:
        """The id of the next item in this order without a pending act; at the end, the first such item."""
        where, values = self.where()
        free = f"SELECT id FROM item WHERE {where} AND id <> ? AND NOT {PENDING}"
        behind = "(due IS NULL, ifnull(due, 0), seen, id) > (?, ?, ?, ?)"
        due = item.due(self.zone)
        position = (due is None, due or 0, item.seen, item.id)
        row = db.execute(f"{free} AND {behind} {ORDER} LIMIT 1", (*values, item.id, *position)).fetchone()
        row = row or db.execute(f"{free} {ORDER} LIMIT 1", (*values, item.id)).fetchone()
        return row[0] if row else None

    def neighbours(self, db: sqlite3.Connection, item: Item) -> tuple[str | None, str | None]:
        """The ids of the items before and after this one in this order, None at an end."""
        where, values = self.where()
        due = item.due(self.zone)
        position = (due is None, due or 0, item.seen, item.id)
        columns = "(due IS NULL, ifnull(due, 0), seen, id)"
        back = "ORDER BY due IS NULL DESC, due DESC, seen DESC, id DESC"
        cursors = (
            db.execute(
                f"SELECT id FROM item WHERE {where} AND {columns} {side} (?, ?, ?, ?) {order} LIMIT 1",
                (*values, *position),
            )
            for side, order in (("<", back), (">", ORDER))
        )
        earlier, later = (row[0] if (row := rows.fetchone()) else None for rows in cursors)
        return earlier, later

    def pending(self, db: sqlite3.Connection, ids: Collection[str]) -> set[str]:
        """The ids among these items that have an act without an answer."""
        marks = ", ".join("?" * len(ids))
        return {row[0] for row in db.execute(f"SELECT id FROM item WHERE id IN ({marks}) AND {PENDING}", (*ids,))}

    def where(self) -> tuple[str, list[Any]]:
        """The SQL condition on table `item`, and its values."""
        wanted = self.query.wanted
        parts: list[str] = []
        values: list[Any] = []

        def among(column: str, accepted: Collection[str]) -> None:
            parts.append(f"{column} IN ({', '.join('?' * len(accepted))})")
            values.extend(sorted(accepted))

        for key in FIELDS:
            if key == "recipient" and key in wanted:
                marks = ", ".join("hidden(?)" for _ in wanted[key])
                parts.append(f"recipient IN (SELECT number FROM person WHERE hash IN ({marks}))")
                values.extend(sorted(wanted[key]))
            elif key in wanted:
                among(f'"{key}"', wanted[key])
        if reasons := wanted.get("reason"):
            among("id IN (SELECT item FROM item_reason WHERE code", reasons)
            parts[-1] += ")"
        if ages := wanted.get("older_than"):
            parts.append("seen < ?")
            values.append(self.now - min(older_than(age) for age in ages))
        if days := wanted.get("before"):
            parts.append("mailed < ?")
            values.append(max(times.span(day, self.zone).first for day in days))
        states = wanted.get("state", frozenset(() if "id" in wanted else self.states))
        if states and ANY not in states:
            waiting = {*WAITING}.intersection(states)
            if len(waiting) in (0, len(set(states))):  # all of them wait, or none does: an index has these alone
                parts.append(WAITS if waiting else f"NOT {WAITS}")
            if {*states} != {*WAITING}:
                among("state", states)
        if "id" not in wanted and "DUPLICATE_SEND" not in {*wanted.get("reason", ()), *wanted.get("primary", ())}:
            parts.append("NOT informational")
        if self.until is not None:
            parts.append("arrived <= ?")
            values.append(self.until)
        for right in self.rights:
            within, limits = self.access.where(right)
            parts.append(within)
            values.extend(limits)
        return " AND ".join(parts) or "1", values


@dataclass(frozen=True, slots=True)
class CauseGroup:
    """Cause of withheld sends: primary reason, data source, campaign and verdict, with their number `n`.

    `late`: items whose mail date is over; `due`: when the next one's is over, in milliseconds, None without one.
    `today`: new items in the last 24 hours. `sample`: the id of one item.
    """

    primary: str
    origin: str | None
    campaign: str
    verdict: str
    n: int
    late: int
    due: int | None
    today: int
    sample: str
