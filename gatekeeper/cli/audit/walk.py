"""The way through a trail, link by link: behind what an earlier call took, at a pace, and shown by a bar."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from gatekeeper.audit.checks.trail import Link, Trail
from gatekeeper.cli.audit.reading import Pace, between
from gatekeeper.cli.output import note, progress_bar
from gatekeeper.errors import UsageError
from gatekeeper.texts import text
from schemas.audit import Count, Digest
from schemas.values import Model
from streams.operations.trail import LiveTrail

TRANSACTION = 2
"""So many offsets of `manifests` a transaction takes: its manifest's, and that of the mark at its end."""


class Mark(Model):
    """The last manifest that was taken of a partition: where it stands, and the SHA-256 of its bytes."""

    offset: Count
    sha256: Digest

    @classmethod
    def of(cls, link: Link) -> Mark:
        """Returns the mark of a link."""
        return cls(offset=link.offset, sha256=sha256(link.value).hexdigest())


@dataclass
class Walk:
    """Goes through the links of a trail whose `t1` is at or after `since` and before `to` (milliseconds).

    `file`: where the state is that it goes on with. `passed`: hears each record that an earlier call took.
    `whole`: what is asked is about all of the trail, so what was taken must still be there; else it may have expired
    as long as nothing is missing behind it. `marks`: how far it came by partition; `records`: how many were taken.
    """

    trail: Trail
    since: int | None
    to: int | None
    pace: Pace
    file: Path | None = None
    passed: Callable[[bytes], None] = lambda _: None
    whole: bool = False
    marks: dict[int, Mark] = field(default_factory=dict)
    records: int = 0

    def __post_init__(self) -> None:
        self.bar = progress_bar()
        self._task = self.bar.add_task(text("replay.replaying"), total=None)

    def go_on(self, marks: dict[int, Mark], records: int) -> None:
        """Takes up how far an earlier call came, and says so; raises UsageError (2) for a partition that is none."""
        for partition in sorted(marks.keys() - set(self.trail.partitions())):
            raise self._lost(partition, marks[partition])
        self.marks, self.records = dict(marks), records
        if records:
            note("state.goes_on", file=self.file, count=f"{records:,}")

    def links(self, partition: int) -> Iterator[Link]:
        """Yields the links of a partition behind its mark, at the pace; raises as the trail does.

        Raises UsageError (2) where the mark is not met, so that what lies behind it cannot be told.
        """
        mark, count = self.marks.get(partition), 0
        for count, link in enumerate(between(self.trail.links(partition), self.since, self.to), 1):
            if mark and count == 1 and self._expired(mark, link):
                mark = None
            if mark is None:
                yield link
            elif link.offset < mark.offset or Mark.of(link) == mark:
                for value in link.records:
                    self.passed(value)
                mark = mark if link.offset < mark.offset else None
            else:
                raise self._lost(partition, mark)
            self.bar.advance(self._task, len(link.records))
            self.pace.done(len(link.records))
        if mark and (count or not self._idle(partition, mark)):
            raise self._lost(partition, mark)

    def took(self, link: Link) -> None:
        """Has the link be the last one that was taken of its partition."""
        self.marks[link.partition] = Mark.of(link)
        self.records += len(link.records)

    def _expired(self, mark: Mark, first: Link) -> bool:
        """Tells whether all up to the mark has expired, and the first link that is left follows it."""
        return not self.whole and first.offset > mark.offset and first.manifest.get("prev") == mark.sha256

    def _idle(self, partition: int, mark: Mark) -> bool:
        """Tells whether nothing was written behind the mark, so that only what was taken can have expired."""
        if self.whole or not isinstance(self.trail, LiveTrail):
            return False
        _, end = self.trail.bounds.manifests[partition]
        return mark.offset < end <= mark.offset + TRANSACTION

    def _lost(self, partition: int, mark: Mark) -> UsageError:
        return UsageError("error.state_lost", file=self.file, partition=partition, offset=mark.offset)
