"""The feeds that state facts, their deliveries, and since when each is silent (domain rule 8.3.59)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Literal, NamedTuple

from gatekeeper.ground.times import instant, period_ms
from schemas.audit import FeedState
from schemas.events import Feed

CLOSED = 4_096
"""Feeds of which deliveries are kept, registered or not, at most. A delivery of a further one closes nothing."""


class Sender(NamedTuple):
    """By whom a delivery of a feed came: a caller of the service, "" = straight to Kafka. `counted`: with its count."""

    feed: str
    caller: str = ""
    counted: bool = True


class _Terms(NamedTuple):
    """A record of a feed, with its arrival in milliseconds."""

    feed: Feed
    arrived: int


Punctuality = Literal["delivered", "late", "silent"]
"""`late`: its rhythm is over. `silent`: its limit is over, so the mail of its people waits."""


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


class Feeds:
    """Registered feeds by id, and up to when each told everything. The order of records does not matter.

    `closed`: the instants (milliseconds) up to which deliveries told everything.
    """

    def __init__(self, closed: Mapping[Sender, int] | None = None) -> None:
        self.closed = dict(closed or {})
        self._terms: dict[str, list[_Terms]] = {}
        self._ignored: set[str] = set()
        self._standing: dict[str, tuple[tuple[Feed, FeedState], ...]] = {}

    def __bool__(self) -> bool:
        """True if a feed is registered."""
        return bool(self._terms)

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
        self._standing.clear()
        return True

    def close(self, by: Sender, at: int) -> bool:
        """Takes a delivery that told everything up to `at` (milliseconds); False if it closes nothing new.

        It counts only if the feed names this caller, and asks for no count that it lacks.
        """
        if at <= self.closed.get(by, -1) or (by not in self.closed and len(self.closed) >= CLOSED):
            return False
        self.closed[by] = at
        self._standing.clear()
        return True

    def covering(self, companies: Collection[str], lists: Collection[str | None]) -> tuple[FeedState, ...]:
        """The feeds that speak of somebody, in the order of their ids. Of each the state that is due first.

        `companies`: whose mail it is. `lists`: with which the person's data came.
        """
        return tuple(self._covering(companies, lists))

    def _covering(self, companies: Collection[str], lists: Collection[str | None]) -> Iterator[FeedState]:
        for id_ in sorted(self._terms):
            states = (state for feed, state in self.standing(id_) if _covers(feed, companies, lists))
            if (first := min(states, key=lambda state: state.due, default=None)) is not None:
                yield first

    def standing(self, id_: str) -> tuple[tuple[Feed, FeedState], ...]:
        """The records of a feed that bind: the newest one, unless it ends, and those that were due when replaced."""
        if (known := self._standing.get(id_)) is None:
            known = self._standing[id_] = tuple(self._bound(id_))
        return known

    def _bound(self, id_: str) -> Iterator[tuple[Feed, FeedState]]:
        terms = self._terms[id_]
        newest = [terms[-1].feed]
        if newest[0].ended and newest[0].replaced_by in self._terms:
            newest.append(self._terms[newest[0].replaced_by][-1].feed)
        told = (
            self.closed.get(Sender(feed.id, feed.caller or "", counted))
            for feed in newest
            for counted in {True, feed.counted}
        )
        closed = max((at for at in told if at is not None), default=None)
        since = terms[0].arrived if closed is None else closed
        for (feed, _), replaced in zip(terms, (*terms[1:], None), strict=True):
            due = since + period_ms(feed.limit)
            if (replaced is None and not feed.ended) or (replaced is not None and due < replaced.arrived):
                yield feed, FeedState(id=id_, limit=feed.limit, closed=closed, due=due)

    def silent(self, at: int) -> list[str]:
        """The ids of the feeds that are silent at an instant (milliseconds)."""
        return [state.feed for state in self.states(at) if state.state == "silent"]

    def states(self, at: int) -> Iterator[FeedTold]:
        """Yields how each feed stands at an instant (milliseconds), in the order of their ids."""
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


def _covers(feed: Feed, companies: Collection[str], lists: Collection[str | None]) -> bool:
    if feed.lists:
        return not set(feed.lists).isdisjoint(lists)
    return not set(feed.controllers).isdisjoint(companies)


def _is_wider(feed: Feed, before: Feed) -> bool:
    """True if a record allows a longer silence, covers fewer people, or lets somebody else speak for the feed."""
    fewer_lists = bool(feed.lists) and not (before.lists and set(feed.lists) >= set(before.lists))
    return (
        (feed.ended and not before.ended)
        or period_ms(feed.rhythm) > period_ms(before.rhythm)
        or period_ms(feed.limit) > period_ms(before.limit)
        or not set(feed.controllers) >= set(before.controllers)
        or fewer_lists
        or feed.topic != before.topic
        or (before.counted and not feed.counted)
        or feed.caller != before.caller
    )
