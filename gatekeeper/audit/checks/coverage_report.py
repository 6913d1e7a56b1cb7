"""The result of a coverage check: findings with their places, and the report that is sealed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from gatekeeper.audit.log.writer import LEAF_BYTES
from gatekeeper.audit.tlog.branch_statement import Statement
from gatekeeper.audit.tlog.log_faults import Fault
from schemas.codec import canonical

TOLD = 100
"""Most findings that a report lists; it counts all of them."""
BRANCHES = 20
"""Most branches that a report lists."""
DETAIL = 120
"""Most characters of a detail that are reported."""


class CoverageFinding(NamedTuple):
    """A fault with its place: topic (registry name), partition, offset. `detail`: a count, an id or an end offset.

    The place of something missing is that of the manifest, input or record that should have it.
    """

    fault: Fault
    partition: int
    topic: str
    offset: int
    detail: str = ""

    @property
    def place(self) -> str:
        """The place as shown to people: `TOPIC/PARTITION/OFFSET`."""
        return f"{self.topic}/{self.partition}/{self.offset}"


class End(NamedTuple):
    """A partition's position in the ledger: next offsets of its inputs, hash (hex) of its last manifest."""

    sends: int
    acts: int
    prev: str | None


@dataclass(slots=True)
class Range:
    """A claimed range of an input: offsets from `start` to before `to`, `n` of them with a record."""

    start: int
    to: int
    n: int


class SkippedRange(NamedTuple):
    """Offsets of an input (registry name) that a person skipped: from `start` to before `to`, with the act.

    `place`: the act's offset on `acts`. `manifest`: the offset of the manifest that states the skip. `refused`: the
    error for which the partition was refused. If `to` is below `start`, the partition went back.
    """

    topic: str
    start: int
    to: int
    act: str
    by: str
    refused: str
    place: int
    manifest: int


@dataclass(slots=True)
class ForkedBranch:
    """Manifests of one branch that does not count, from offset `start` to `last`, and the audit records that they name.

    `sha256`: of the last one (hex). `by`, `reason`, `at`: the newest choice of a person about this partition; None
    without one, as the ledger's head decided.
    """

    start: int
    last: int
    manifests: int
    records: int
    sha256: str
    by: str | None
    reason: str | None
    at: str | None

    @classmethod
    def begun(cls, offset: int, statement: Statement | None) -> ForkedBranch:
        """A branch of which nothing was read yet. `statement`: the choice of a person about its partition."""
        choice = (statement.by, statement.reason, statement.at) if statement else (None, None, None)
        return cls(offset, offset, 0, 0, "", *choice)


@dataclass(slots=True)
class Covered:
    """Result for one partition. `expired`: the amount of each topic that the broker no longer keeps.

    For an input it counts offsets, for an output the decisions with a record there. `branches`: those that do not
    count.
    """

    partition: int
    manifests: int
    records: int
    claimed: dict[str, Range]
    expired: dict[str, int]
    findings: list[CoverageFinding]
    skipped: list[SkippedRange]
    branches: list[ForkedBranch]

    def find(self, fault: Fault, topic: str, offset: int, detail: str = "") -> None:
        """Adds a finding, with what a forger may have written made plain."""
        topic, detail = (plain(text) for text in (topic, detail))
        self.findings.append(CoverageFinding(fault, self.partition, topic, offset, detail))


def report(found: Sequence[Covered], *, group: str, at: str) -> bytes:
    """Canonical JSON of the findings on all partitions, short enough to be sealed. `at`: the time, RFC 3339.

    The report counts all findings and lists as many as fit. Values of partitions are lists in the order of partition
    numbers. An input's value is the first claimed offset, the next offset, and the number of records between them.
    """
    findings = [finding for part in found for finding in part.findings]
    listed = [finding._asdict() for finding in findings[:TOLD]]
    claimed = sorted({name for part in found for name in part.claimed})
    expired = sorted({name for part in found for name in part.expired})
    partitions: dict[str, Any] = {
        "manifests": [part.manifests for part in found],
        "records": [part.records for part in found],
        "in": {name: [_claimed(part, name) for part in found] for name in claimed},
        "expired": {name: [part.expired.get(name, 0) for part in found] for name in expired},
    }
    content = {"v": 2, "kind": "coverage", "group": group, "at": at, "found": len(findings), "partitions": partitions}
    if skipped := [{"partition": part.partition, **skip._asdict()} for part in found for skip in part.skipped]:
        content["skipped"] = skipped[:TOLD]
    if branches := [{"partition": part.partition, **asdict(branch)} for part in found for branch in part.branches]:
        content["branches"] = branches[:BRANCHES]
    while len(value := canonical({**content, "findings": listed})) > LEAF_BYTES and listed:
        del listed[len(listed) // 2 :]
    return value


def _claimed(part: Covered, name: str) -> list[int]:
    claimed = part.claimed.get(name, Range(0, 0, 0))
    return [claimed.start, claimed.to, claimed.n]


def plain(said: str) -> str:
    """Text as short printable ASCII, so that a forger's value neither ends a line nor fills a leaf."""
    return "".join(char if "!" <= char <= "~" or char == " " else "?" for char in said[:DETAIL])
