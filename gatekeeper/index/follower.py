"""Reads the topics on from the index's positions: a console all the time, a command where no console runs."""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from gatekeeper.ground.settings import Settings
from gatekeeper.index.model import Model
from streams.client import admin
from streams.client.proven_position import Place, differing
from streams.client.reader import Reader

TICK_SECONDS = 0.2
log = structlog.get_logger(__name__)


def span(settings: Settings, index: Model, reader: Reader) -> tuple[dict[Place, int], dict[Place, int]]:
    """The end of each partition, and the offset to read from. Empties an index of records that are gone."""
    ends = {(topic, n): end for topic in index.topics for n, end in reader.ends(topic).items()}
    starts = {(topic, n): start for topic in index.topics for n, start in reader.starts(topic).items()}
    if rebuilt(index, reader):
        index.begin(admin.identity(settings))
    offsets = {place: position.next for place, position in index.positions().items()}
    return ends, {place: max(start, offsets.get(place, 0)) for place, start in starts.items()}


def rebuilt(index: Model, reader: Reader) -> bool:
    """Empties the index if the records that it was built from are gone; True if it did."""
    if not (others := differing(reader, index.positions())):
        return False
    for topic, number in others:
        log.error("console_rebuilt", topic=topic, partition=number)
    index.reset()
    return True


def by_topic(starts: Mapping[Place, int]) -> dict[str, dict[int, int]]:
    """The offsets as `Reader.following` takes them."""
    offsets: dict[str, dict[int, int]] = {}
    for (topic, number), offset in starts.items():
        offsets.setdefault(topic, {})[number] = offset
    return offsets


def catch_up(settings: Settings, index: Model) -> None:
    """Takes in all records that stand on the topics at the call. Raises as Reader and Model do."""
    with Reader(settings) as reader:
        ends, starts = span(settings, index, reader)
        for records in reader.following(by_topic(starts), seconds=TICK_SECONDS):
            index.take(records)
            reached = reader.reached()
            if all(reached.get(place, 0) >= end for place, end in ends.items()):
                return
