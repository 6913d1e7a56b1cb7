"""The coverage check on Kafka: reads each partition's topics side by side, up to ends with no open transaction.

The records that a manifest names were written in its transaction. So the manifests' ends are asked first, and then
those of the topics compared with them. Later records are read too, but no manifest is expected for them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack
from typing import Self

from gatekeeper.audit.checks.accounts import OUTPUTS, OWN
from gatekeeper.audit.checks.coverage import covered
from gatekeeper.audit.checks.coverage_report import CoverageFinding, Covered, End
from gatekeeper.audit.checks.pairing import Input, Outgoing, Placed, Put, Records, Signed
from gatekeeper.ground.settings import Settings
from gatekeeper.keys import Keys
from gatekeeper.ledger.head import Head
from gatekeeper.ledger.topic_ids import ORDER
from schemas.decision import DID_PATTERN
from schemas.record import Record
from streams.client import admin, progress
from streams.client.reader import Reader
from streams.operations import branches

UNREADABLE = "unreadable"
STEP = 500


def check(
    settings: Settings, passed: Callable[[int], None] = lambda _: None, *, without: Collection[int] = ()
) -> Iterator[Covered]:
    """Yields the result of each partition as soon as it is known; the first one triggers all requests for ends.

    `passed` is called now and then with the number of further records read. `without`: partitions that are left out.
    Raises UnavailableError (3) without a broker, IncompleteError (5) if a transaction stays open.
    """
    with _Topics(settings, passed) as topics:
        for number in topics.demanded:
            if number not in without:
                yield topics.partition(number)
        yield from (result for number, result in topics.beyond.items() if number not in without)


class _Topics:
    """A reader for each topic, with its first and last offsets."""

    def __init__(self, settings: Settings, passed: Callable[[int], None]) -> None:
        self._settings, self._passed = settings, passed
        self._keys = Keys(settings.key_folder).public("worker")

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            topics = ("manifests", "audit", *OWN, *OUTPUTS)
            self._readers = {topic: stack.enter_context(Reader(self._settings)) for topic in topics}
            self._asker = stack.enter_context(Reader(self._settings))
            self._heads = progress.read(self._asker)
            self._ids = admin.topic_ids(self._settings, ORDER)
            self._stated = branches.stated(self._settings)
            self.beyond = self._beyond(self._asker.added(topics))
            self._starts = {topic: self._asker.starts(topic) for topic in topics}
            self.demanded = self._asker.settled("manifests")
            self._ends = {topic: self._asker.settled(topic) for topic in (*OUTPUTS, "audit", "manifests")}
            self._ends |= {topic: self._asker.ends(topic) for topic in OWN}
            self._open = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def _beyond(self, added: Mapping[str, range]) -> dict[int, Covered]:
        """The results for partitions that somebody added, and that have inputs; passes over all such partitions."""
        results = dict[int, Covered]()
        for topic in [topic for topic in OWN if topic in added]:
            starts, ends = self._asker.starts(topic), self._asker.ends(topic)
            for number in [number for number in added[topic] if ends[number] > starts[number]]:
                result = results.setdefault(number, Covered(number, 0, 0, {}, {}, [], [], []))
                result.find("skipped_offset", topic, starts[number], f"to {ends[number]}")
        self._asker.pass_over(added)
        return results

    def partition(self, number: int) -> Covered:
        head, starts = self._heads.get(number), {topic: offsets[number] for topic, offsets in self._starts.items()}
        statement = self._stated.get(number)
        apart = branches.forked(
            self._asker, number, start=starts["manifests"], chosen=statement.sha256 if statement else None
        )
        result = covered(
            number,
            self._manifests(number),
            keys=self._keys,
            first=starts["manifests"],
            settled=self.demanded[number],
            records=Records(starts["audit"], (Placed(r.offset, r.value or b"") for r in self._of("audit", number))),
            inputs={topic: Input(starts[topic], (r.offset for r in self._of(topic, number))) for topic in OWN},
            outputs={topic: Outgoing(starts[topic], self._put(topic, number)) for topic in OUTPUTS},
            head=End(head.sends, head.acts, head.prev) if head else None,
            eras=head.eras if head else {},
            beside=apart.beside,
            statement=statement,
        )
        for topic in self._replaced(number, head) if head else ():
            result.find("replaced", topic, {"sends": head.sends, "acts": head.acts}.get(topic, 0) if head else 0)
        moved = {
            topic: again for topic in (*OWN, *OUTPUTS) if (again := self._asker.starts(topic)[number]) > starts[topic]
        }
        result.findings[:] = [finding for finding in result.findings if not _expired_since(finding, moved)]
        return result

    def _replaced(self, number: int, head: Head) -> list[str]:
        """The topics that are other logs than those with which the partition's worker worked."""
        again = head.made_again(self._ids)
        return again + [name for name in progress.replaced(self._asker, number, head) if name not in again]

    def _of(self, topic: str, number: int) -> Iterator[Record]:
        start, end = self._starts[topic][number], self._ends[topic][number]
        count = 0
        for record in self._readers[topic].between(topic, partition=number, start=start, end=end):
            yield record
            count += 1
            if count == STEP:
                self._passed(count)
                count = 0
        self._passed(count)

    def _manifests(self, number: int) -> Iterator[Signed]:
        for record in self._of("manifests", number):
            yield Signed(record.offset, record.value or b"", record.header("gate-sig"))

    def _put(self, topic: str, number: int) -> Iterator[Put]:
        for record in self._of(topic, number):
            did = record.header("gate-decision-id")
            if did and not re.fullmatch(DID_PATTERN, did):
                did = UNREADABLE  # a foreign record may hold anything, so its id is not shown
            if did or topic != "deadletter":  # the dead letter of a fact names no decision
                yield Put(record.offset, did, record.timestamp)


def _expired_since(finding: CoverageFinding, moved: dict[str, int]) -> bool:
    """Tells whether a missing record may have expired during the check."""
    if finding.fault == "claimed_nothing":
        return finding.offset < moved.get(finding.topic, 0)
    return finding.fault == "missing_output" and finding.detail.partition(" ")[0] in moved
