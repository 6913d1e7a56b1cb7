"""What is looked up before a campaign is published: the reference data, and which campaigns there were already."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple

import jiter

from gatekeeper.knowledge.store import FactStore
from streams.client.reader import Reader

LOOK_BACK = 100_000
"""So many of the latest sends are looked through at most: all that a quiet system keeps of its 7 days."""


class Earlier(NamedTuple):
    """Which of some campaigns have sends among the latest `among` ones."""

    among: int
    campaigns: frozenset[str]


def registered(reader: Reader) -> FactStore:
    """Returns what `reference` says now; raises as `Reader` does."""
    store = FactStore()
    for record in reader.read("reference"):
        store.apply(record.topic, record.partition, record.offset, record.key, record.value)
    return store


def earlier(reader: Reader, wanted: Collection[str], advance: Callable[[], None]) -> Earlier:
    """Looks for campaigns among the latest sends, and ends as soon as all are found; raises as `Reader` does.

    `advance` is called for each send that was read.
    """
    left, among = set(wanted), 0
    for record in reader.read("sends", last=max(1, LOOK_BACK // len(reader.partitions("sends")))):
        if not left:
            break
        among += 1
        advance()
        left.discard(_campaign(record.value or b""))
    return Earlier(among, frozenset(wanted) - left)


def _campaign(value: bytes) -> str:
    try:
        return str(jiter.from_json(value)["campaign_id"])
    except (ValueError, LookupError, TypeError):
        return ""
