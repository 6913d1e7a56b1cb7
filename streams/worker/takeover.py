"""A take-over: the ledger's position checked against the logs, or the position that a person chose.

Call it once the former owner is fenced. The position is in the ledger's `head` alone. If the logs contradict the head,
the partition is refused. Nothing is judged until the partition is repaired or an act says how to go on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

import structlog
from aiokafka import TopicPartition

from gatekeeper.engine import settlement
from gatekeeper.engine.act import ActRecord
from gatekeeper.engine.manifest import Taken
from gatekeeper.engine.tail import Tail
from gatekeeper.ground.errors import IntegrityError
from gatekeeper.ledger.entries import Entry
from gatekeeper.ledger.fact_logs import vanished
from gatekeeper.ledger.head import Head
from gatekeeper.ledger.refused import RESUMABLE, SKIPPABLE, Refused
from gatekeeper.ledger.resumption import Resumption, resumption
from gatekeeper.ledger.topic_ids import ABOUT, REPLACED
from schemas.topics import FACT_TOPICS
from streams.client.batches import as_record
from streams.worker import input_marks, ledger_reader, offsets, torn_transaction_reader
from streams.worker.batch_input import Restart
from streams.worker.clients import TRANSACTION_SECONDS
from streams.worker.kept_ledger import CopyPosition, KeptLedger, Misfit
from streams.worker.ledger import Ledger
from streams.worker.ledger_reader import GONE
from streams.worker.worker_context import WorkerContext

log = structlog.get_logger(__name__)

ENDS_SECONDS = 1.0
"""Seconds for which a take-over waits for the ends of the facts at a time."""
HANGING_SECONDS = TRANSACTION_SECONDS + 5
"""Seconds after which an open transaction is abandoned; a later owner, if there is one, works meanwhile."""


@dataclass(frozen=True, slots=True)
class RestoredState:
    """State from which a partition goes on: its ledger, its position, and the record of a refusal that ended.

    `refusal`: another one, which refuses the partition once the end of the first is written.
    """

    ledger: Ledger
    head: Head
    restart: Restart | None = None
    refusal: IntegrityError | None = None


class TakeOver:
    """Reader of one partition's past; `head` is the ledger's head as far as it was read.

    `ids`: Kafka's ids of all topics now, by name. `copy`: as of `ledger_reader.read`. `at_work`: the refusal that
    showed at work, None without one. `known`: the last transaction that this process committed. `noted`: the refusal
    that stands beside the group's offset, None without one.
    """

    def __init__(
        self,
        number: int,
        context: WorkerContext,
        probe: offsets.Probe,
        ids: Mapping[str, str],
        copy: KeptLedger | None = None,
        at_work: str | None = None,
        known: CopyPosition | None = None,
        noted: Refused | None = None,
    ) -> None:
        self.head: Head | None = None
        self._at_work, self._ids, self._known, self._noted = at_work, ids, known, noted
        self._number, self._context, self._probe, self._copy = number, context, probe, copy
        self._sends, self._acts, self._audit = (
            TopicPartition(context.settings.topic(name), number) for name in ("sends", "acts", "audit")
        )
        self._where = {"topic": self._sends.topic, "partition": number}

    async def past(self) -> RestoredState:
        """The state from which the partition goes on; raises IntegrityError (4) for a past that contradicts itself."""
        for name in ("ledger", "salts", "manifests", "audit"):
            await refuse_hanging(self._probe, TopicPartition(self._context.settings.topic(name), self._number))
        try:
            kept = await self._kept()
        except ledger_reader.DecisionsGoneError as gone:
            return await self._without(gone)
        try:
            self.head = kept.head
            self._demand_keys(kept)
            restored = RestoredState(kept, await self._position(self.head))
            restored = await self._passed(kept, restored.head) or restored
        except IntegrityError as refusal:
            restored = await self._resumed(kept, refusal)
        return self._ours(restored)

    def _ours(self, restored: RestoredState) -> RestoredState:
        """The state with the keys and the topics that this worker has."""
        masters, tokens = (
            {str(number): print_ for number, print_ in prints.items()}
            for prints in (self._context.masters, self._context.tokens)
        )
        head = replace(restored.head, masters=masters, tokens=restored.head.tokens | tokens)
        return replace(restored, head=head.with_topics(self._ids))

    async def _kept(self) -> Ledger:
        """The ledger; raises DecisionsGoneError if the logs lack what we, our copy or an owner before us knew."""
        settings, now = self._context.settings, self._context.clock.now()
        if self._noted is not None and self._noted.key == GONE:
            raise await ledger_reader.gone_from(self._probe, settings, self._number, **self._noted.values)
        if self._known is not None:
            with suppress(Misfit):
                await ledger_reader.manifest_of(self._probe, settings, self._number, self._known)
        return await ledger_reader.read(self._probe, settings, self._number, self._copy, now=now)

    async def _without(self, gone: ledger_reader.DecisionsGoneError) -> RestoredState:
        """The state from which people let the partition go on without decisions that are gone; else raises that."""
        with suppress(IntegrityError):
            self.head = None if gone.written is None else Head.decode(gone.written)
        act = await self._resumption(gone.written, gone.key)
        if act is None:
            raise gone
        self._known = self._noted = None
        if self._copy is not None:
            await self._copy.anew("gone")
        kept = await self._kept()
        self._demand_keys(kept)
        restored = await self._from(kept, act)
        if restored is None:
            raise gone
        return self._ours(restored)

    def _demand_keys(self, kept: Ledger) -> None:
        """Refuses a ledger of another mode, or of keys that we do not have."""
        settings, head = self._context.settings, self.head
        if head is not None and head.mode != settings.mode:
            raise IntegrityError("error.ledger_of_other_mode", written=head.mode, mode=settings.mode, **self._where)
        for number in kept.state.salts.masters:
            if number not in self._context.masters:
                raise IntegrityError("error.master_missing", number=number, folder=settings.keys, **self._where)
        if head and (other := head.other_master(kept.state.salts.masters, self._context.masters)) is not None:
            raise IntegrityError("error.master_differs", number=other, folder=settings.keys, **self._where)
        if head and (other := head.other_token(self._context.tokens)) is not None:
            raise IntegrityError("error.token_key_differs", number=other, folder=settings.keys, **self._where)

    async def _demand_logs(self, head: Head) -> None:
        """Refuses a partition whose logs are others than those with which it worked, or lack what it needs."""
        again = head.made_again(self._ids)
        for name, tp, position in self._inputs(head):
            if await self._is_replaced(head, name):  # before what expired: no act counts on a log that is shorter
                begin, end = await offsets.bounds(self._probe, tp)
                where = {"topic": tp.topic, "partition": tp.partition, "position": position}
                raise IntegrityError(REPLACED, begin=begin, end=end, **where)
        for _, tp, position in self._inputs(head):
            begin, _ = await offsets.bounds(self._probe, tp)
            if position < begin:
                where = {"topic": tp.topic, "partition": tp.partition, "position": position}
                raise IntegrityError("error.sends_expired", begin=begin, **where)
        for key, names in ABOUT.items():
            if gone := [name for name in again if name in names]:
                raise IntegrityError(key, topics=", ".join(gone), **self._where)
        await self._demand_facts(head)

    async def _is_replaced(self, head: Head, name: str) -> bool:
        """Tells whether an input is another log than the one that was read."""
        tp, position = next((tp, position) for input_name, tp, position in self._inputs(head) if input_name == name)
        if name in head.made_again(self._ids) or position > (await offsets.bounds(self._probe, tp))[1]:
            return True
        mark = head.last.get(name)
        return mark is not None and await input_marks.other(self._probe, tp, [(mark[0], mark[1])]) is not None

    def _inputs(self, head: Head) -> Iterator[tuple[str, TopicPartition, int]]:
        """Yields the name, the partition and the next offset of each input."""
        yield "sends", self._sends, head.sends
        yield "acts", self._acts, head.acts

    async def _demand_facts(self, head: Head | None) -> None:
        """Refuses a partition if a worker decided by facts which their topics no longer hold.

        It waits for the first reading of all facts, before which nothing is decided anyway. All partitions share the
        facts. So the head of each counts, unless people have said since then that all is back. After a restore nothing
        is compared: its word is `restore --open`.
        """
        followers, believed = self._context.followers, head.believed if head else 0
        if followers.lost_at > believed:
            raise IntegrityError("error.facts_made_again", topics=", ".join(FACT_TOPICS), **self._where)
        heads = [past_head for past_head in followers.expected if past_head.at >= believed] + ([head] if head else [])
        known = [past_head for past_head in heads if past_head.facts and not past_head.of_another_ledger(self._ids)]
        if not known:
            return
        ended = await followers.barrier(ENDS_SECONDS)
        while not (ended or followers.as_of):
            ended = await followers.barrier(ENDS_SECONDS)
        lacking = [
            (past_head, gone) for past_head in known if (gone := vanished(past_head.facts, followers, ended=ended))
        ]
        if lacking:
            await followers.missed(max(believed, *(past_head.at for past_head, _ in lacking)) + 1)
            topics = sorted({topic for _, gone in lacking for topic in gone})
            raise IntegrityError("error.facts_made_again", topics=", ".join(topics), **self._where)

    async def _position(self, head: Head | None) -> Head:
        """The head, or the first head of a partition that has no past."""
        if head is None:
            await self._demand_facts(None)
            audit = await offsets.bounds(self._probe, self._audit)
            if await offsets.first_readable(self._probe, self._audit, *audit) is not None:
                raise IntegrityError("error.head_missing", **self._where)
            sends, acts = [(await offsets.bounds(self._probe, tp))[0] for tp in (self._sends, self._acts)]
            return Head(sends=sends, acts=acts, mode=self._context.settings.mode)
        await self._demand_logs(head)
        now, skew = self._context.clock.now(), self._context.policy.skew_ms
        if head.at - now > skew:
            raise IntegrityError("error.clock_before_head", partition=self._number, ahead_ms=head.at - now)
        if torn := settlement.settled(head, await self._tail(head)):
            raise torn.error(head, **self._where)
        return head

    async def _tail(self, head: Head) -> Tail:
        return await torn_transaction_reader.tail(
            self._probe, self._context.settings, self._number, head, keys=self._context.writers
        )

    async def _resumed(self, kept: Ledger, refusal: IntegrityError) -> RestoredState:
        """The state from which a person lets the partition go on; raises the refusal if there is no valid act."""
        act = await self._resumption(kept.written, refusal.key) if refusal.key in RESUMABLE else None
        restored = await self._from(kept, act) if act else None
        if restored is None:
            raise refusal
        return restored

    async def _passed(self, kept: Ledger, head: Head) -> RestoredState | None:
        """The state behind the one record that refused the partition at work, None if two people do not pass it."""
        act = await self._resumption(kept.written, self._at_work) if self._at_work in SKIPPABLE else None
        if act is None:
            return None
        moved = [
            (tp, start, to)
            for tp, start, to in ((self._sends, head.sends, act.sends), (self._acts, head.acts, act.acts))
            if start != to
        ]
        for tp, start, to in moved[:1]:
            if len(moved) == 1 and await offsets.first_readable(self._probe, tp, start, to) == to - 1:
                return await self._from(kept, act)
        log.error("resumption_refused", topic=self._sends.topic, partition=self._number, offset=act.sends)
        return None

    async def _from(self, kept: Ledger, act: Resumption) -> RestoredState | None:
        """The state at the offsets of an act, None if they do not lie within the logs."""
        bounds = {tp: await offsets.bounds(self._probe, tp) for tp in (self._sends, self._acts)}
        first = Head(bounds[self._sends][0], bounds[self._acts][0], mode=self._context.settings.mode)
        base = self.head or first
        settled = settlement.settled(base, await self._tail(base))
        least = settled.least if settled else (0, 0)
        base = settled.head if settled else base
        eras, last = dict(base.eras), dict(base.last)
        for (name, tp, _), offset, lowest in zip(self._inputs(base), (act.sends, act.acts), least, strict=True):
            begin, end = bounds[tp]
            if act.refused == REPLACED and await self._is_replaced(base, name):
                eras[name], lowest = base.era(name) + 1, 0
                last.pop(name, None)
            elif act.refused == GONE:
                eras[name] = base.era(name) + 1  # else ids of decisions that are gone would come again
            if not max(begin, lowest) <= offset <= end:
                log.error("resumption_refused", topic=tp.topic, partition=tp.partition, offset=offset, first=begin)
                return None
        at = min(base.at, self._context.clock.now())
        stood = {tp.topic: offset for tp, offset in zip(bounds, (base.sends, base.acts), strict=True)}
        took = {self._sends.topic: Taken(self._sends.topic, base.sends, base.sends, 0, era=base.era("sends"))}
        entries = list[Entry]()
        if settled:
            took |= {taken.topic: taken for taken in settled.took}
            entries = await torn_transaction_reader.anew(self._probe, self._context, self._number, settled, kept.state)
        restart = Restart(
            [*took.values()],
            torn_transaction_reader.taken_in(settled.records) if settled else (),
            entries,
            act.skipped(stood),
        )
        log.warning("partition_resumed", partition=self._number, offset=act.sends, reason=act.refused)
        head = replace(base, sends=act.sends, acts=act.acts, at=at, resumed=act.act_id, eras=eras, last=last)
        if "audit" in base.made_again(self._ids) and act.refused == "error.outputs_made_again":
            head = replace(head, anew=base.prev)
        head = head.with_topics(self._ids, ABOUT.get(act.refused, ()))
        if act.refused == "error.facts_made_again":
            followers = self._context.followers
            now = max(self._context.clock.now(), followers.lost_at)  # a clock may have been ahead when they were lost
            head = replace(head, facts=followers.fact_logs(), believed=now)
        refusal = await self._refusal(head)
        return RestoredState(kept, head, replace(restart, facts=head.facts if refusal else None), refusal)

    async def _refusal(self, head: Head) -> IntegrityError | None:
        """The next refusal of a partition that a person lets go on; None without one."""
        try:
            await self._demand_logs(head)
        except IntegrityError as error:
            return error
        return None

    async def _resumption(self, written: bytes | None, refused: str) -> Resumption | None:
        followers = self._context.followers
        if followers.vanished or not await followers.barrier(self._context.policy.max_lag_ms / 1000):
            return None  # nobody can tell yet who may let it go on
        begin, end = await offsets.bounds(self._probe, self._acts)
        acts = [ActRecord.of(as_record(record)) async for record in offsets.read(self._probe, self._acts, begin, end)]
        return resumption(
            ((record, record.act) for record in acts),
            partition=self._number,
            refused=refused,
            head=written,
            counts=lambda record: isinstance(record, ActRecord) and self._context.counts(record),
        )


async def refuse_hanging(probe: offsets.Probe, tp: TopicPartition) -> None:
    """Waits until no transaction of ours is open any more, after a commit or after the fencing.

    Raises IntegrityError (4) if one stays open. Kafka has then lost its markers, as can happen if the only broker dies
    between a commit and its markers. The ledger would not show those decisions, and our next commit would make them
    visible as well.
    """
    end = (await probe.ends.ends([tp]))[tp]
    if not await offsets.settles(probe, tp, end, HANGING_SECONDS):
        raise IntegrityError("error.transaction_hangs", topic=tp.topic, partition=tp.partition)
