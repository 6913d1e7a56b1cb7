"""The parts that the pages of the service share, and how a page gets them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated, TypeVar, cast

from fastapi import Depends, Request

from gatekeeper.ground.metrics_page import Metrics
from gatekeeper.service.callers import Callers
from gatekeeper.service.event_ids import EventIds
from gatekeeper.service.problem import Problem
from gatekeeper.service.request_lines import Bodies
from schemas.topics import FACT_TOPICS
from streams.serving.live_state import LiveState

_PLACE = re.compile(r"([a-z]{1,32})/([0-9]{1,5})/([0-9]{1,18})")
MAX_PLACES = 100
TURN_SECONDS = 0.01
"""Seconds of work on one request before others get a turn."""
PAGES = 4
"""Pages of results that are read at once."""
T = TypeVar("T")


@dataclass(slots=True)
class ServiceParts:
    """State, callers, and bodies under way. `url`: our address for callers, never the one that a request names.

    `event_ids`: makes the ids of requests that may be repeated.
    `pages`: lets so many pages of results be read at once, as each has a connection of its own.
    """

    live: LiveState
    callers: Callers
    event_ids: EventIds
    url: str
    bodies: Bodies = field(default_factory=Bodies)
    metrics: Metrics = field(default_factory=Metrics)
    pages: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(PAGES))


def parts(request: Request) -> ServiceParts:
    """The parts of the app that a request came to."""
    return cast("ServiceParts", request.app.state.parts)


PartsOf = Annotated[ServiceParts, Depends(parts)]


async def in_turns(values: Sequence[T]) -> AsyncIterator[T]:
    """Yields the values, and lets other requests go on from time to time: a caller with many must stop nobody."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    for value in values:
        if loop.time() - began >= TURN_SECONDS:
            await asyncio.sleep(0)
            began = loop.time()
        yield value


async def not_before_met(live: LiveState, places: Sequence[str]) -> None:
    """Waits until every fact at these places is applied here. It then binds all later decisions of the gate, too.

    `places`: TOPIC/PARTITION/OFFSET, as the answer to a fact has it. Raises Problem (400) for anything else. Raises
    Problem (409) for a place behind the end of the log, and Problem (503) if facts are late.
    """
    if not places:
        return
    if len(places) > MAX_PLACES:
        raise Problem(400, "too_many_places", most=MAX_PLACES)
    parsed = [_place(text) for text in places]
    if not await live.confirmed():
        raise Problem(503, "facts_late", headers={"Retry-After": "1"})
    reached = live.facts.positions()
    for text, (topic, partition, offset) in zip(places, parsed, strict=True):
        positions = reached[topic]
        if partition >= len(positions) or offset >= positions[partition]:
            raise Problem(409, "place_ahead", place=text)


def _place(text: str) -> tuple[str, int, int]:
    match = _PLACE.fullmatch(text)
    if match is None or match[1] not in FACT_TOPICS:
        raise Problem(400, "place_wrong", allowed=", ".join(FACT_TOPICS))
    return match[1], int(match[2]), int(match[3])
