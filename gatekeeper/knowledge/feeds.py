"""The feeds that state facts, their deliveries, and since when each is silent (domain rule 8.3.59)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any, Literal, NamedTuple

from gatekeeper.ground.tables import SPOILT, MemoryTables, Table
from gatekeeper.ground.times import instant, period_ms, span
from schemas.audit import FeedState
from schemas.events import Feed, FeedDelivery
from schemas.record import Record
from schemas.values import ID_PATTERN

EARLIEST = "Etc/GMT-14"
"""The zone in which a day begins first. A delivery that names a day told what was before it."""
CLOCKS_MS = 60_000
"""Milliseconds by which a worker may have found a feed silent before its limit, as its clock differs."""
Punctuality = Literal["delivered", "late", "silent"]
"""`late`: its rhythm is over. `silent`: its limit is over, so the mail of its people waits."""


class Sender(NamedTuple):
    """By whom a delivery of a feed came: a caller of the service, "" = straight to Kafka. `counted`: with its count."""

    feed: str
    caller: str = ""
    counted: bool = True

    @classmethod
    def of(cls, record: Record, delivery: FeedDelivery) -> Sender | None:
        """The sender of a delivery; None if its header names what can be no caller."""
        caller = record.header("gate-caller")
        named = any(name == "gate-caller" for name, _ in record.headers)
        if named and not re.fullmatch(ID_PATTERN, caller):
            return None
        return cls(delivery.feed, caller, delivery.counted)

    @property
    def name(self) -> str:
        """The same as one word."""
        return f"{self.feed} {self.caller} {self.counted:d}"


class FeedTold(NamedTuple):
    """The state of a feed. `closed`, `due`: as of `FeedState`. `ignored`: its last record is wider, and not proven."""

    feed: str
    owner: str
    companies: tuple[str, ...]
    lists: tuple[str, ...]
    closed: int | None
    due: int
    state: Punctuality
    ignored: bool

    @property
    def told(self) -> dict[str, Any]:
        """The same for health pages and `status`."""
        lists = {"companies": [*self.companies], "lists": [*self.lists]}
        return {**self._asdict(), **lists, "closed": self.closed and instant(self.closed), "due": instant(self.due)}


class _Terms(NamedTuple):
    """A record of a feed, with its arrival in milliseconds."""

    feed: Feed
    arrived: int


class Feeds:
    """Registered feeds by id, and up to when each told everything. The order of deliveries does not matter.

    `closed`: by sender, the instant (milliseconds) up to which a delivery told everything.
    """

    def __init__(self, closed: Table | None = None) -> None:
        self.closed = MemoryTables().table("closed") if closed is None else closed
        self._terms: dict[str, list[_Terms]] = {}
        self._of_company: dict[str, set[str]] = {}
        self._of_list: dict[str, set[str]] = {}
        self._ignored: set[str] = set()
        self._standing: dict[str, tuple[tuple[Feed, FeedState], ...]] = {}

    def over(self, closed: Table) -> Feeds:
        """The same feeds with other deliveries."""
        feeds = Feeds(closed)
        feeds._terms, feeds._of_company, feeds._of_list = self._terms, self._of_company, self._of_list
        feeds._ignored = self._ignored
        return feeds

    def __bool__(self) -> bool:
        """True if a feed is registered."""
        return bool(self._terms)

    @property
    def of_lists(self) -> bool:
        """True if a feed speaks of the people of lists."""
        return bool(self._of_list)

    def register(self, feed: Feed, arrived: int) -> bool:
        """Takes a record of a feed. False for a wider one that is not proven: it does not count.

        `arrived`: milliseconds since the epoch.
        """
        terms = self._terms.setdefault(feed.id, [])
        self._ignored.discard(feed.id)
        if terms and _is_wider(feed, terms[-1].feed) and not feed.proven:
            self._ignored.add(feed.id)
            return False
        terms.append(_Terms(feed, arrived))
        by_name = self._of_list if feed.lists else self._of_company
        for name in feed.lists or feed.controllers:
            by_name.setdefault(name, set()).add(feed.id)
        self._standing.clear()
        return True

    def close(self, by: Sender, at: int, now: int) -> bool:
        """Takes a delivery that told everything up to `at`. True if a feed was silent, and somebody may be free now.

        It counts only if the feed names this caller, and asks for no count that it lacks. `now`: its arrival. Both are
        milliseconds.
        """
        if at <= self.told(by, -1):
            return False
        ids = [by.feed, *(id_ for id_, terms in self._terms.items() if terms[-1].feed.replaced_by == by.feed)]
        ids = [id_ for id_ in ids if id_ in self._terms]
        due = [state for id_ in ids for _, state in self.standing(id_) if state.due < now + CLOCKS_MS]
        self.closed[by.name] = b"%d" % at
        for id_ in ids:
            self._standing.pop(id_, None)
        return bool(due) and due != [state for id_ in ids for _, state in self.standing(id_)]

    def told(self, by: Sender, default: int) -> int:
        """The instant up to which a sender told everything, in milliseconds."""
        told = self.closed.get(by.name)
        return default if told in (None, SPOILT) else int(told)

    def covering(self, companies: Collection[str], lists: Collection[str]) -> tuple[FeedState, ...]:
        """The feeds that speak of somebody, in the order of their ids. Of each the state that is due first.

        `companies`: whose mail it is. `lists`: with which the person's data came.
        """
        of_companies = (self._of_company.get(company, ()) for company in companies)
        of_lists = (self._of_list.get(name, ()) for name in lists) if self._of_list else ()
        found = []
        for id_ in sorted(set().union(*of_companies, *of_lists)):
            states = [state for feed, state in self.standing(id_) if _covers(feed, companies, lists)]
            found += [min(states, key=lambda state: state.due)] if states else []
        return tuple(found)

    def standing(self, id_: str) -> tuple[tuple[Feed, FeedState], ...]:
        """The records of a feed that bind: the newest one, unless it ends, and those that were due when replaced."""
        if (known := self._standing.get(id_)) is None:
            known = self._standing[id_] = tuple(self._bound(self._terms[id_]))
        return known

    def _bound(self, terms: list[_Terms]) -> Iterator[tuple[Feed, FeedState]]:
        closed = max(self._closed(terms), default=None)
        since = terms[0].arrived if closed is None else closed
        for (feed, _), replaced in zip(terms, (*terms[1:], None), strict=True):
            due = since + period_ms(feed.limit)
            if (replaced is None and not feed.ended) or (replaced is not None and due < replaced.arrived):
                yield feed, FeedState(id=feed.id, limit=feed.limit, closed=closed, due=due)

    def _closed(self, terms: list[_Terms]) -> Iterator[int]:
        """Yields up to when deliveries told everything: each of a sender whom the feed named at that time."""
        begun = 0
        for number, (feed, arrived) in enumerate(terms):
            former = terms[number - 1].feed if number else feed
            if (feed.caller, feed.counted) != (former.caller, former.counted):
                begun = arrived
            until = terms[number + 1].arrived if number + 1 < len(terms) else None
            for counted in {True, feed.counted}:
                at = self.told(Sender(feed.id, feed.caller or "", counted), -1)
                if at >= begun and (until is None or at < until):
                    yield at
        last = terms[-1]
        other = self._terms.get(last.feed.replaced_by or "") if last.feed.ended else None
        if other and not _leaves_out(other[-1].feed, last.feed):
            yield from (at for at in self._closed_by(other[-1].feed) if at > last.arrived)

    def _closed_by(self, feed: Feed) -> Iterator[int]:
        return (self.told(Sender(feed.id, feed.caller or "", counted), -1) for counted in {True, feed.counted})

    def states(self, at: int) -> Iterator[FeedTold]:
        """Yields the state of each feed at an instant (milliseconds), in the order of their ids."""
        for id_ in sorted(self._terms):
            newest, standing = self._terms[id_][-1].feed, self.standing(id_)
            if not standing:
                continue
            due = min(state.due for _, state in standing)
            closed = standing[0][1].closed
            late = (self._terms[id_][0].arrived if closed is None else closed) + period_ms(newest.rhythm) < at
            state: Punctuality = "silent" if due < at else "late" if late else "delivered"
            ignored = id_ in self._ignored
            yield FeedTold(id_, newest.owner, newest.controllers, newest.lists, closed, due, state, ignored)


def told_until(delivery: FeedDelivery, arrived: int) -> int:
    """The instant up to which a delivery told everything: the earlier of what it says and its arrival."""
    return min(span(delivery.at, EARLIEST).first // 1000, arrived)


def _covers(feed: Feed, companies: Collection[str], lists: Collection[str]) -> bool:
    if feed.lists:
        return not set(feed.lists).isdisjoint(lists)
    return not set(feed.controllers).isdisjoint(companies)


def _leaves_out(feed: Feed, before: Feed) -> bool:
    """True if a record covers fewer companies or lists than another one."""
    lists = bool(set(before.lists) - set(feed.lists)) if before.lists else bool(feed.lists)
    return lists or not set(feed.controllers) >= set(before.controllers)


def _is_wider(feed: Feed, before: Feed) -> bool:
    """True if a record allows a longer silence, covers fewer people, or lets somebody else speak for the feed."""
    return (
        _leaves_out(feed, before)
        or (feed.ended and not before.ended)
        or period_ms(feed.rhythm) > period_ms(before.rhythm)
        or period_ms(feed.limit) > period_ms(before.limit)
        or (before.counted and not feed.counted)
        or (feed.topic, feed.caller, feed.replaced_by) != (before.topic, before.caller, before.replaced_by)
    )
