"""Look-ups before a campaign is published: the reference data, and campaigns that exist already."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple

import jiter

from gatekeeper.ground.errors import IntegrityError
from gatekeeper.knowledge.store import FactStore
from streams.client.reader import Reader

LOOK_BACK = 100_000
"""Latest sends that are looked through, at most, in about 2 seconds."""


class Earlier(NamedTuple):
    """Campaigns, of those asked for, with sends among the latest `among` ones; `whole`: `sends` keeps no others."""

    among: int
    whole: bool
    campaigns: frozenset[str]


def registered(reader: Reader) -> FactStore:
    """The present reference data; raises as `Reader` does, IntegrityError (4) if a batch of `reference` is spoilt."""
    store = FactStore(reader.settings.group, reader.settings.founder)
    for record in reader.read("reference"):
        store.apply(record)
    if store.unresolved.withhold_everybody:
        raise IntegrityError(
            "error.reference_spoilt", places=", ".join("{}/{}/{}".format(*fault) for fault in store.unresolved.faults)
        )
    return store


def earlier(reader: Reader, wanted: Collection[str], advance: Callable[[], None]) -> Earlier:
    """Looks for campaigns among the latest sends, and ends as soon as all are found; raises as `Reader` does.

    `advance` is called for each send that was read.
    """
    starts, ends = reader.starts("sends"), reader.ends("sends")
    most = max(1, LOOK_BACK // len(ends))
    whole = all(end - starts[partition] <= most for partition, end in ends.items())
    left, among = set(wanted), 0
    for record in reader.read("sends", last=most):
        if not left:
            break
        among += 1
        advance()
        left.discard(_campaign(record.value or b""))
    return Earlier(among, whole, frozenset(wanted) - left)


def _campaign(value: bytes) -> str:
    try:
        return str(jiter.from_json(value)["campaign_id"])
    except (ValueError, LookupError, TypeError):
        return ""
