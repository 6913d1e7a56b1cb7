"""The feeds that state facts, their deliveries, and since when each is silent (domain rule 8.3.59)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from gatekeeper.ground.times import period_ms
from schemas.audit import FeedState
from schemas.events import Feed

CLOSED = 4_096
"""Feeds of which deliveries are kept, registered or not, at most. A delivery of a further one closes nothing."""


class _Terms(NamedTuple):
    """A record of a feed, with its arrival in milliseconds."""

    feed: Feed
    arrived: int


class Feeds:
    """Registered feeds by id, and up to when each told everything. The order of records does not matter.

    `closed`: by feed, the instant (milliseconds) up to which its last closed delivery told everything.
    """

    def __init__(self, closed: Mapping[str, int] | None = None) -> None:
        self.closed = dict(closed or {})
        self._terms: dict[str, list[_Terms]] = {}
        self._standing: dict[str, tuple[tuple[Feed, FeedState], ...]] = {}

    def __bool__(self) -> bool:
        """True if a feed is registered."""
        return bool(self._terms)

    def register(self, feed: Feed, arrived: int) -> bool:
        """Takes a record of a feed; False for one that is wider than the last and not proven, which counts for nothing.

        `arrived`: milliseconds since the epoch.
        """
        terms = self._terms.setdefault(feed.id, [])
        if terms and _is_wider(feed, terms[-1].feed) and not feed.proven:
            return False
        terms.append(_Terms(feed, arrived))
        self._standing.pop(feed.id, None)
        return True

    def close(self, feed: str, at: int) -> bool:
        """Takes a delivery that told everything up to `at` (milliseconds); False if it closes nothing new."""
        if at <= self.closed.get(feed, -1) or (feed not in self.closed and len(self.closed) >= CLOSED):
            return False
        self.closed[feed] = at
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
        """The records of a feed that bind: the newest, unless it ends, and those before that were due when replaced."""
        if (known := self._standing.get(id_)) is None:
            known = self._standing[id_] = tuple(self._bound(id_))
        return known

    def _bound(self, id_: str) -> Iterator[tuple[Feed, FeedState]]:
        terms = self._terms[id_]
        newest = terms[-1].feed
        by = (id_, newest.replaced_by) if newest.ended else (id_,)
        closed = max((self.closed[name] for name in by if name in self.closed), default=None)
        since = terms[0].arrived if closed is None else closed
        for (feed, _), replaced in zip(terms, (*terms[1:], None), strict=True):
            due = since + period_ms(feed.limit)
            if (replaced is None and not feed.ended) or (replaced is not None and due < replaced.arrived):
                yield feed, FeedState(id=id_, limit=feed.limit, closed=closed, due=due)

    def __iter__(self) -> Iterator[Feed]:
        """Yields the newest record of each feed that has not ended."""
        return (terms[-1].feed for terms in self._terms.values() if not terms[-1].feed.ended)

    def silent(self, at: int) -> Iterable[str]:
        """The ids of the feeds that are silent at an instant (milliseconds)."""
        return [id_ for id_ in self._terms if any(state.due < at for _, state in self.standing(id_))]


def _covers(feed: Feed, companies: Collection[str], lists: Collection[str | None]) -> bool:
    if feed.lists:
        return not set(feed.lists).isdisjoint(lists)
    return not set(feed.controllers).isdisjoint(companies)


def _is_wider(feed: Feed, before: Feed) -> bool:
    """True if a record lets a feed be silent for longer, or for more people."""
    fewer_lists = bool(feed.lists) and not (before.lists and set(feed.lists) >= set(before.lists))
    return (
        (feed.ended and not before.ended)
        or period_ms(feed.rhythm) > period_ms(before.rhythm)
        or period_ms(feed.limit) > period_ms(before.limit)
        or not set(feed.controllers) >= set(before.controllers)
        or fewer_lists
        or feed.topic != before.topic
        or (before.counted and not feed.counted)
    )
