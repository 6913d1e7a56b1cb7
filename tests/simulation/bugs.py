"""Planted bugs: each is put into the product's code by a test alone, and breaks a promise that the simulation sees.

`python -m tests.simulation.bugs` notes in which world each is seen first. That one is tried first from then on.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from gatekeeper.deciding.rules import system
from gatekeeper.engine import recalls, signers
from gatekeeper.engine.handoffs import CampaignActRun
from gatekeeper.knowledge.feeds import Feeds
from gatekeeper.ledger.head import HEAD, Head
from gatekeeper.ledger.state import LedgerState
from streams.client.producer import Producer
from streams.client.read_log import ReadLog
from streams.worker import batch, input_marks, ledger_reader
from streams.worker.batch import PartitionJudge
from streams.worker.clock import Clock
from streams.worker.commits import Commits
from streams.worker.facts import Followers
from streams.worker.group_offsets import GroupOffsets
from streams.worker.intake import Intake
from streams.worker.kept_ledger import KeptLedger
from streams.worker.ledger import Ledger
from streams.worker.log_proof import LogProof
from streams.worker.ownership_epoch import OwnershipEpoch
from streams.worker.takeover import TakeOver
from streams.worker.transaction import Transaction
from tests.simulation.clients import Ends, Reader
from tests.simulation.driver import Driver
from tests.simulation.simulation import simulate

Plant = Callable[[pytest.MonkeyPatch], None]
BUGS: dict[str, Plant] = {}
STEPS = 150
SEEDS = 60
"""Worlds that a bug may take to be seen; most are seen in the first, in half the steps that CI simulates."""
SEEN = Path(__file__).with_suffix(".json")
"""The world that saw each bug when it was looked up last. To try it first saves the worlds before it."""


def planted(plant: Plant) -> Plant:
    """Enters a bug under its name."""
    BUGS[plant.__name__] = plant
    return plant


def _now_and_then(one_in: int) -> Callable[[], bool]:
    """Returns what is true once in so many calls."""
    calls = count(1)
    return lambda: next(calls) % one_in == 0


def _all_lossy(patch: pytest.MonkeyPatch) -> None:
    """Has each world lose records."""
    patch.setattr("tests.simulation.simulation.LOSSY", 1)


@planted
def skipped_offset(patch: pytest.MonkeyPatch) -> None:
    """A gap before a chunk is believed, and the log not asked."""

    async def is_hole(self: Intake, offset: int) -> bool:
        self._pass(offset)
        return True

    patch.setattr(Intake, "_is_hole", is_hole)


@planted
def hole_not_written_down(patch: pytest.MonkeyPatch) -> None:
    """The position moves over a hole, and the manifest does not say so."""
    patch.setattr(Intake, "_pass", lambda self, offset: setattr(self, "_next", offset))


def _adding(patch: pytest.MonkeyPatch, do: Callable[[Callable[..., None], str, tuple[Any, ...]], None]) -> None:
    right = Transaction.add

    def add(self: Transaction, topic: str, *row: Any) -> None:
        do(lambda *what: right(self, *what), topic, row)

    patch.setattr(Transaction, "add", add)


@planted
def double_emit(patch: pytest.MonkeyPatch) -> None:
    """A cleared send goes out twice."""
    due = _now_and_then(10)

    def twice(add: Callable[..., None], topic: str, row: tuple[Any, ...]) -> None:
        for _ in range(1 + (topic == "cleared" and due())):
            add(topic, *row)

    _adding(patch, twice)


@planted
def dropped_audit(patch: pytest.MonkeyPatch) -> None:
    """An audit record is not written."""
    due = _now_and_then(50)
    _adding(patch, lambda add, topic, row: None if topic == "audit" and due() else add(topic, *row))


@planted
def phantom_ledger_entry(patch: pytest.MonkeyPatch) -> None:
    """The ledger remembers what nobody did."""
    due, entry = _now_and_then(50), (b"ask/P-1/Q-1", b'{"said":{},"until":null,"v":1}')

    def more(add: Callable[..., None], topic: str, row: tuple[Any, ...]) -> None:
        add(topic, *row)
        if topic == "audit" and due():
            add("ledger", *entry)

    _adding(patch, more)


@planted
def clear_on_time_out(patch: pytest.MonkeyPatch) -> None:
    """Facts that did not come in time count as applied."""
    right = Followers.barrier

    async def barrier(self: Followers, timeout: float) -> bool:
        await right(self, timeout)
        return True

    patch.setattr(Followers, "barrier", barrier)


@planted
def barrier_at_the_stable_end(patch: pytest.MonkeyPatch) -> None:
    """The barrier waits for the last stable offset, before which acknowledged facts may have no marker yet."""

    async def stable(self: Ends, topics: Iterable[str]) -> dict[TopicPartition, int]:
        return await self.stable(await self.partitions(list(topics)))

    patch.setattr(Ends, "of_topics", stable)


@planted
def ended_by_a_deposed_leader(patch: pytest.MonkeyPatch) -> None:
    """A deposed leader that lacks the newest facts is believed that they are gone, and the worker ends."""

    async def demand(self: Followers) -> None:
        raise OffsetOutOfRangeError

    patch.setattr(Followers, "_demand_there", demand)


@planted
def stale_leader(patch: pytest.MonkeyPatch) -> None:
    """A leader that was deposed is believed about where its log ends."""

    async def asked(self: Ends, tps: Any, what: str) -> dict[TopicPartition, int]:
        logs, wanted = self._network.kafka.logs, list(tps)

        def answer() -> dict[TopicPartition, int]:
            return {tp: getattr((what != "begin" and logs[tp].deposed) or logs[tp], what) for tp in wanted}

        found: dict[TopicPartition, int] = await self._sure("ListOffsets", answer)
        return found

    patch.setattr(Ends, "_asked", asked)


@planted
def another_log_of_facts(patch: pytest.MonkeyPatch) -> None:
    """A log of facts counts as the one that a head names, in worlds in which no worker runs when records are lost."""
    _all_lossy(patch)
    patch.setattr("tests.simulation.driver.DOWN", 1.0)
    patch.setattr(ReadLog, "below", lambda *_: None)


@planted
def new_facts_prove_the_former(patch: pytest.MonkeyPatch) -> None:
    """After a doubt the last fact is compared, which may have come after it."""
    _all_lossy(patch)

    holds = LogProof.holds

    async def newest(self: LogProof, tp: TopicPartition, part: Any, proven: Any) -> bool:
        return await holds(self, tp, part, part)

    patch.setattr(LogProof, "holds", newest)


@planted
def another_input(patch: pytest.MonkeyPatch) -> None:
    """A take-over goes on at the head's position, whatever records stand before it."""

    async def other(*_: Any) -> None:
        return None

    patch.setattr(input_marks, "other", other)


@planted
def another_input_at_work(patch: pytest.MonkeyPatch) -> None:
    """Nobody asks whether an input is the log that was read, while its partition is at work."""

    async def prove(self: OwnershipEpoch) -> bool:
        return False

    patch.setattr(OwnershipEpoch, "_prove", prove)


@planted
def same_era(patch: pytest.MonkeyPatch) -> None:
    """Decisions about an input that was replaced have the ids of those about the former one."""
    patch.setattr(Head, "era", lambda self, name: 0)


@planted
def asof_of_before(patch: pytest.MonkeyPatch) -> None:
    """A manifest names the facts that the one before it was judged by."""
    right, known = Followers.positions, dict[int, Any]()

    def positions(self: Followers) -> dict[str, list[int]]:
        now = right(self)
        before, known[id(self)] = known.get(id(self), now), now
        return before  # type: ignore[no-any-return]

    patch.setattr(Followers, "positions", positions)


@planted
def uncommitted_input(patch: pytest.MonkeyPatch) -> None:
    """Readers do not ask for committed records only."""
    patch.setattr(Reader, "committed", False)


@planted
def swallowed_commit_error(patch: pytest.MonkeyPatch) -> None:
    """A commit that failed counts as done."""
    right = Producer.commit

    async def commit(self: Producer, batches: Any, offsets: Any, group: str) -> Any:
        try:
            return await right(self, batches, offsets, group)
        except KafkaError:
            self._usable = True
            return []

    patch.setattr(Producer, "commit", commit)
    right_commit = Transaction.commit

    async def swallowed(self: Transaction, position: Any, clock: Any) -> dict[str, int]:
        try:
            return await right_commit(self, position, clock)
        except ValueError:  # nothing was answered of which to learn the time
            return {}

    patch.setattr(Transaction, "commit", swallowed)


@planted
def retry_of_a_commit(patch: pytest.MonkeyPatch) -> None:
    """A commit that was not answered is asked for again, under the same epoch."""
    right = Producer._end

    async def end(self: Producer) -> None:
        for _ in range(5):
            try:
                return await right(self)
            except KafkaError:
                await asyncio.sleep(0.05)
        await right(self)

    patch.setattr(Producer, "_end", end)


@planted
def torn_transaction(patch: pytest.MonkeyPatch) -> None:
    """One batch is written in two transactions."""
    right = Producer.commit

    async def commit(self: Producer, batches: Any, offsets: Any, group: str) -> Any:
        half = len(batches) // 2
        first = await right(self, batches[:half], {}, group) if half else []
        return [*first, *await right(self, batches[half:], offsets, group)]

    patch.setattr(Producer, "commit", commit)


@planted
def trusted_group_offset(patch: pytest.MonkeyPatch) -> None:
    """A partition begins where the group's offsets say, and where they say nothing, at the beginning."""
    right = TakeOver._position

    async def position(self: TakeOver, head: Any) -> Any:
        found = await right(self, head)
        network = self._probe.ends._network  # type: ignore[attr-defined]
        known = network.kafka.offset(self._context.settings.group, self._sends)
        return replace(found, sends=known.offset if known else network.kafka.logs[self._sends].begin)

    patch.setattr(TakeOver, "_position", position)


@planted
def lost_recall(patch: pytest.MonkeyPatch) -> None:
    """A clearance that no longer stands is not recalled."""
    due, right = _now_and_then(3), recalls.weighed
    patch.setattr(batch, "weighed", lambda *what, **more: None if due() else right(*what, **more))


@planted
def second_recall(patch: pytest.MonkeyPatch) -> None:
    """A recalled clearance stays in memory, and is recalled again."""
    right = PartitionJudge._remembered

    def remembered(self: PartitionJudge, judged: Any) -> Any:
        if any(output.topic == "recalls" for output in judged.outputs):
            return judged
        return right(self, judged)

    patch.setattr(PartitionJudge, "_remembered", remembered)


@planted
def double_release(patch: pytest.MonkeyPatch) -> None:
    """Nobody remembers what was done about an item."""
    patch.setattr(LedgerState, "standing", lambda self, recipient_id, did: None)


@planted
def dead_letter_twice(patch: pytest.MonkeyPatch) -> None:
    """A take-over does not know which unreadable facts have their dead letter."""
    right = PartitionJudge.__init__

    def begin(self: PartitionJudge, *what: Any, ledger: Ledger, **more: Any) -> None:
        ledger.dead.clear()
        right(self, *what, ledger=ledger, **more)

    patch.setattr(PartitionJudge, "__init__", begin)


@planted
def clock_believed(patch: pytest.MonkeyPatch) -> None:
    """A clock that has jumped is believed, in worlds in which clocks jump often: one jump is rarely at a bad moment."""
    patch.setattr(Clock, "off_by", 0)
    begin = Driver.__init__

    def often(self: Driver, *given: Any) -> None:
        begin(self, *given)
        self.steps.append((self.jump_the_clock, 15))

    patch.setattr(Driver, "__init__", often)


@planted
def forgotten_walk(patch: pytest.MonkeyPatch) -> None:
    """An act about a campaign is done after its first step."""
    patch.setattr(CampaignActRun, "done", property(lambda self: True, lambda self, value: None), raising=False)


@planted
def uncertain_memory(patch: pytest.MonkeyPatch) -> None:
    """Decisions that were not committed stay in memory over a rebalance."""
    patch.setattr(OwnershipEpoch, "clean", property(lambda self: self.waits_for != "take_over"))


@planted
def offsets_only_with_traffic(patch: pytest.MonkeyPatch) -> None:
    """The group's offsets are not written once more when traffic ends."""
    patch.setattr(GroupOffsets, "seconds", None)
    patch.setattr(Commits, "show", lambda self: asyncio.sleep(0))


@planted
def silent_feed(patch: pytest.MonkeyPatch) -> None:
    """Nobody waits for a silent feed."""
    patch.setattr(system, "silent", lambda case: [])


@planted
def delivery_of_the_future(patch: pytest.MonkeyPatch) -> None:
    """A delivery tells everything up to when it says, and not up to its arrival."""
    right = Feeds.close
    patch.setattr(Feeds, "close", lambda self, by, at, now: right(self, by, at + 2_000, now))


@planted
def act_of_nobody(patch: pytest.MonkeyPatch) -> None:
    """An act is handled whoever signed it."""
    patch.setattr(signers, "signer", lambda asked, log, acts: None)


@planted
def weighing_raises(patch: pytest.MonkeyPatch) -> None:
    """Weighing some acts raises, and no act is handled apart from the others."""
    due, right = _now_and_then(10), signers.weigh
    patch.setattr(signers, "weigh", lambda *what, **more: {}["act_id"] if due() else right(*what, **more))
    patch.setattr(signers.ActHandling, "step", signers.ActHandling._stepped)


@planted
def uncommitted_entry_in_the_copy(patch: pytest.MonkeyPatch) -> None:
    """Changes go to the disk before their transaction is acknowledged."""
    right = KeptLedger.cut

    def cut(self: KeptLedger, now: float) -> Any:
        found = right(self, now)
        if found is not None:
            self.tables.commit(found)
        return found

    patch.setattr(KeptLedger, "cut", cut)


@planted
def copy_not_continued(patch: pytest.MonkeyPatch) -> None:
    """Of the records since the copy was written, only the head is read."""

    async def take(probe: Any, tp: TopicPartition, begin: int, take: Any, copy: Any = None) -> None:
        await right(probe, tp, begin, (lambda key, value: key == HEAD and take(key, value)) if begin else take, copy)

    right = ledger_reader._read
    patch.setattr(ledger_reader, "_read", take)


def seen(name: str) -> int | None:
    """Returns the first world that sees a bug, beginning with the one that did so last; None without any."""
    first = json.loads(SEEN.read_text("utf-8")).get(name, 1) if SEEN.exists() else 1
    with pytest.MonkeyPatch.context() as patch:
        BUGS[name](patch)
        worlds = (*range(first, SEEDS + 1), *range(1, first))
        return next((seed for seed in worlds if simulate(seed, STEPS).broken is not None), None)


if __name__ == "__main__":
    SEEN.unlink(missing_ok=True)
    with ProcessPoolExecutor() as pool:
        found = dict(zip(BUGS, pool.map(seen, BUGS), strict=True))
    SEEN.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
