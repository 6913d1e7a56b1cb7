"""Chains of manifests about records at hand, and the tally of a month that counts them."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import orjson

from gatekeeper.audit.checks.trail import Link
from gatekeeper.audit.tlog import merkle
from gatekeeper.engine.manifest import Taken, manifest
from gatekeeper.policy.packs import load
from gatekeeper.report import period
from gatekeeper.report.evidence import ProvingLog
from gatekeeper.report.tally import Tally
from schemas.topics import DAY_MS
from tests.support import invented, staff, trails
from tests.support.records import Recorded

MONTH = period.read("2026-11-01", "2026-11-30", "Asia/Tokyo")


class ManifestChain:
    """One partition's manifests about records at hand."""

    def __init__(self, number: int = 0) -> None:
        self.number, self.links, self.sends = number, list[Link](), 0
        self.prev: str | None = None

    def add(self, values: list[bytes], at: int = invented.T, known: int = 0, **other: Any) -> Link:
        """Adds a transaction of these audit records; `known`: the next offset of partition 0 of `consents`."""
        n = sum(b'"stage":"intake"' in value for value in values)
        said: dict[str, Any] = orjson.loads(
            manifest(
                writer="worker-0",
                kid="k",
                partition=self.number,
                taken=[Taken("mail.sends.v1", self.sends, self.sends + n + 1, n, [(self.sends + n, 1)])],
                judged=(),
                dead_facts=0,
                as_of={"consents": [known]},
                prev=self.prev,
                policy=load("jp-pmark").at(at),
                t0=at,
                t1=at,
            )
        )
        root = merkle.root(values).hex()
        value = orjson.dumps({**said, "root": root, "audit": {"from_id": None, "n": len(values)}, **other})
        self.sends += n + 1
        self.prev = sha256(value).hexdigest()
        self.links.append(Link(self.number, len(self.links), value, b"", tuple(values)))
        return self.links[-1]


def month_tally(seal: ProvingLog | None = None, partitions: int = 1) -> Tally:
    """Returns a tally that counted nothing yet; without `seal` nothing is sealed."""
    more: dict[str, Any] = {"group": trails.GROUP, "staff": staff.person_lines(arrived=invented.T)}
    return Tally(MONTH, partitions=partitions, seal=seal or ProvingLog(None), window=lambda record: 14 * DAY_MS, **more)


def chains_of(*desks: Recorded) -> list[ManifestChain]:
    """Returns one chain a desk, with all its records in one transaction."""
    chains = []
    for number, desk in enumerate(desks):
        chains.append(ManifestChain(number))
        chains[-1].add(desk.values)
    return chains
