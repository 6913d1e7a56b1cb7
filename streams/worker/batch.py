"""Judges a partition's batches: each record in turn, and all results gathered in one transaction.

This module never awaits, so nothing can change between the barrier and the verdict.
"""

from __future__ import annotations

import base64
import hashlib
import logging
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import replace

import structlog
from aiokafka import ConsumerRecord

from gatekeeper.engine.act import ActRecord
from gatekeeper.engine.acts import handling
from gatekeeper.engine.evaluation import Moment
from gatekeeper.engine.handoffs import MAX_PIECES, decides
from gatekeeper.engine.judged import Judged
from gatekeeper.engine.manifest import Taken, manifest
from gatekeeper.engine.recalls import weighed
from gatekeeper.engine.reconsideration import reconsider
from gatekeeper.engine.rejudging import STALE
from gatekeeper.engine.signers import Handling
from gatekeeper.ground.errors import IntegrityError
from gatekeeper.ledger.entries import Entry, clearance_of, left_open
from gatekeeper.ledger.head import HEAD, Head
from gatekeeper.ledger.salts import PULSE, PULSE_MS
from streams.client.batches import as_record
from streams.client.producer import Producer
from streams.worker.batch_input import BatchInput, Restart, bears
from streams.worker.dead_facts import DeadFacts
from streams.worker.input_marks import last_mark
from streams.worker.intake import InputRange
from streams.worker.ledger import Ledger
from streams.worker.reevaluation import ReevaluationQueue
from streams.worker.transaction import Transaction
from streams.worker.worker_context import WorkerContext

log = structlog.get_logger(__name__)

TOMBSTONES = 1_000
"""Ledger entries that no longer matter and are deleted in one transaction, at most."""
RECALLS = 1_000
"""Recalls in one transaction, at most."""
FEWEST = 10
"""Recalls, or pieces of a campaign, that are judged per step at least, however slow the machine is."""
TIMELY = frozenset(("CONSENT_NOT_YET_VALID", "SENDING_SUSPENDED"))
"""Reasons that can end without any new fact."""
FAILURES, OF_LAST = 10, 1_000
"""Failed decisions among the last ones that raise an alarm. Each is withheld, and other sends are not affected."""


class PartitionJudge:
    """Judge of one partition with its ledger, discarded with its owner. Head and ledger advance with each transaction.

    `head`: the position of the ledger, or the first position. `writer`: writes the transactions.
    """

    def __init__(
        self,
        number: int,
        context: WorkerContext,
        *,
        ledger: Ledger,
        head: Head,
        writer: Producer,
        touched: ReevaluationQueue,
    ) -> None:
        self.head = head
        self.ledger = ledger.state
        self.dead_facts = DeadFacts(number, context, ledger)
        self.broken = False
        """True if an error interrupted judging: the ledger then holds entries that nothing will write."""
        self._number, self._context = number, context
        self._writer, self._touched = writer, touched
        self._handling: Handling | None = None
        self._failures: deque[bool] = deque(maxlen=OF_LAST)
        self._policy = ""
        self._pulsed = dict.fromkeys(("salts", "asked"), -PULSE_MS)  # the last writes; a take-over writes at once

    @property
    def failing(self) -> bool:
        """Tells whether so many of the last decisions failed that somebody should look."""
        return sum(self._failures) >= FAILURES

    def judged(
        self, batch: BatchInput, *, fresh: bool | None, due: bool
    ) -> tuple[Transaction | None, InputRange[ActRecord], InputRange[ActRecord] | None]:
        """The transaction to write, if any, the acts judged in it, and the acts left for the next time.

        `fresh`: True if all facts acknowledged before are applied; None = not asked, as no facts are needed.
        `due`: True if a transaction must be written even if it is empty. The recalls come before the sends, so that a
        recalled piece causes no duplicate. Raises IntegrityError (4) if the clock went back.
        """
        self.broken = True
        transaction, acts, left = self._judged(batch, fresh=fresh, due=due)
        self.broken = False
        return transaction, acts, left

    def _judged(
        self, batch: BatchInput, *, fresh: bool | None, due: bool
    ) -> tuple[Transaction | None, InputRange[ActRecord], InputRange[ActRecord] | None]:
        context, sends, acts = self._context, batch.sends, batch.acts
        begun, t0 = context.clock.processor(), context.clock.now()
        self.demand_clock(t0)
        at = max(t0, self.head.at)
        as_of = None if fresh else min(context.followers.as_of, at - context.packs.at(at).max_lag_ms - 1)
        questions = context.asked.questions if batch.asked else None
        now = Moment(context.judge, context.followers.store, self.ledger, at, as_of, questions)
        judged = self._recalls(batch.touched, now) if fresh else []
        if fresh:
            self._touched.fresh()
        else:
            self._touched.again(batch.touched)  # late facts say nothing against a clearance
        decided = Counter[tuple[str, str, str, str]]()
        era, store = self.head.era("sends"), context.followers.store
        for send in sends.records:
            decision = context.judge.judge(
                as_record(send, era), store, at, as_of=as_of, ledger=self.ledger, questions=questions
            )
            judged.append(self._remembered(decision))
            code = decision.codes[0] if decision.codes else ""
            decided[decision.verdict or "", code, decision.channel, decision.message_class] += 1
            if not TIMELY.isdisjoint(decision.codes):
                for name in waiting(decision.entries):
                    self._touched.later(name)
            if STALE in decision.codes:
                for name in waiting(decision.entries):
                    self._touched.stale(name)
        done, acts, left = self._acted(acts, now, asked=fresh is not None, counted=batch.counted)
        judged += done
        judged += self._reconsidered(batch.waiting, now) if fresh else []
        self._count_failures(judged)
        if not (judged or sends.records or acts.records or left or due):
            return None, acts, left
        ended = [*self.ledger.expiry.due(at, TOMBSTONES), *self.ledger.outlived(context.asked.questions)]
        transaction = self.gathered(sends, acts, judged, at, t0, ended=ended)
        transaction.decided, transaction.published = decided, [send.timestamp for send in sends.records]
        context.pace.observe(len(judged) + len(batch.touched), context.clock.processor() - begun)
        return transaction, acts, left

    def something_ended(self) -> bool:
        """Looks at the next people for entries that no longer matter, and tells whether there are any to delete."""
        return self.ledger.expiry.look(max(self._context.clock.now(), self.head.at))

    def demand_clock(self, now: int) -> None:
        """Raises IntegrityError (4) if the clock is behind the last decision by more than the policy's skew."""
        if self.head.at - now > self._context.policy.skew_ms:
            raise IntegrityError("error.clock_before_head", partition=self._number, ahead_ms=self.head.at - now)

    def _count_failures(self, judged: list[Judged]) -> None:
        """Raises an alarm once when many decisions fail: a defect of ours, whose sends are withheld one by one."""
        before = self.failing
        self._failures.extend(decision.failed for decision in judged)
        if self.failing and not before:
            log.error("decisions_failing", partition=self._number, failures=FAILURES, of_last=OF_LAST)

    def _recalls(self, touched: list[str], now: Moment) -> list[Judged]:
        """The recalls of people's clearances that no longer stand."""
        recalls, most = list[Judged](), min(RECALLS, max(FEWEST, self._context.pace.records))
        for index, name in enumerate(touched):
            for clearance in list(self.ledger.clearances(now.at, name)):
                if len(recalls) >= most:
                    self._touched.again(touched[index:])
                    return recalls
                if recall := weighed(now, clearance):
                    recalls.append(self._remembered(recall))
        return recalls

    def _acted(
        self, acts: InputRange[ActRecord], now: Moment, *, asked: bool, counted: bool
    ) -> tuple[list[Judged], InputRange[ActRecord], InputRange[ActRecord] | None]:
        """The results of the acts, the acts judged, and the acts left. An act about a campaign takes several rounds.

        `asked`: True if the barrier was asked for the facts; if not, only acts that need no facts are judged.
        `counted`: as of `BatchInput`.
        """
        judged, most = list[Judged](), min(MAX_PIECES, max(FEWEST, self._context.pace.records))
        counts, signed = self._context.counts, self._context.signed
        bearing = [record.act if bears(record, counts) else None for record in acts.records]
        for index, record in enumerate(acts.records):
            behind = bearing[index + 1 :]
            # a revoked key is a fact, too
            late = now.as_of is not None and signed and self._handling is None
            if (not asked or late) and decides(bearing[index], behind):
                return judged, *acts.cut(record.offset)
            if self._handling is None:
                number = self._context.releases.count.around(record, counts) if counted else 0
                self._handling = handling(replace(record, counted=number))
            for decision in self._handling.step(now, behind, most):
                judged.append(self._remembered(decision))
                most = max(0, most - 1)
                if left_open := waiting(decision.entries):
                    self._touched.again(left_open)  # a person who answered before is not touched any more
            if not self._handling.done:
                return judged, *acts.cut(record.offset)
            self._handling = None
        return judged, acts, None

    def _reconsidered(self, waiting: list[ConsumerRecord], now: Moment) -> list[Judged]:
        """The results of judging waiting items again, now that more is known about their people."""
        judged = []
        for item in waiting:
            again = reconsider(now, as_record(item))
            if again.judged is not None:
                judged.append(self._remembered(again.judged))
            if not TIMELY.isdisjoint(again.codes):
                self._touched.later((item.key or b"").decode())
        return judged

    def _remembered(self, judged: Judged) -> Judged:
        """Puts the entries into the ledger for the next record. If they are not written, it is discarded."""
        for entry in judged.entries:
            self.ledger.put(entry)
            if cleared := clearance_of(entry):
                self._touched.cleared(cleared)
        return judged

    def gathered(
        self,
        sends: InputRange[ConsumerRecord],
        acts: InputRange[ActRecord],
        judged: list[Judged],
        at: int,
        t0: int,
        *,
        ended: Sequence[Entry] = (),
        restart: Restart | None = None,
    ) -> Transaction:
        """All outputs of these decisions in one transaction, which moves the head past the batches.

        `ended`: deletions of entries that no longer matter. The first transaction of a turn has none. Only the broker's
        time of it shows whether the ledger's copy is young enough.
        `restart`: content of the first transaction of a partition that a person lets go on.
        """
        context, settings = self._context, self._context.settings
        transaction = Transaction(settings, self._writer, self._number)
        for decision in judged:
            for output in decision.written:
                transaction.add(output.topic, output.key, output.value, output.headers)
            transaction.add("audit", decision.did.encode(), decision.audit)
            for entry in decision.entries:
                transaction.add(entry.topic, entry.key, entry.value)
        for entry in restart.entries if restart else ():
            transaction.add(entry.topic, entry.key, entry.value)
        for entry in ended:
            transaction.add(entry.topic, entry.key, entry.value)
            self.ledger.put(entry)
        for topic, written_at in self._pulsed.items():
            if at - written_at >= PULSE_MS:
                transaction.add(topic, PULSE, b"{}")
            if topic in transaction:
                self._pulsed[topic] = at
        policy = context.packs.at(at)
        if policy.sha256 != self._policy:
            self._policy = policy.sha256
            self._touched.everybody()
            log.info("policy_in_force", partition=self._number, offset=sends.start, policy=policy.name)
        dead_facts = self.dead_facts.add(transaction)
        value = manifest(
            writer=settings.worker,
            kid=context.signer.kid,
            partition=self._number,
            taken=restart.took
            if restart
            else [
                Taken(
                    settings.topic(name),
                    range_.start,
                    range_.to,
                    len(range_.records),
                    range_.gaps,
                    self.head.era(name),
                )
                for name, range_ in (("sends", sends), ("acts", acts))
                if name == "sends" or range_.to > range_.start
            ],
            judged=[*(restart.records if restart else ()), *judged],
            dead_facts=dead_facts,
            as_of=context.followers.positions(),
            prev=self.head.prev,
            policy=policy,
            t0=t0,
            t1=context.clock.now(),
            mode=settings.mode,
            skipped=restart.skipped if restart else (),
        )
        signature = [("gate-sig", base64.b64encode(context.signer.sign(value)))]
        transaction.add("manifests", settings.worker.encode(), value, signature)
        prev, asked = hashlib.sha256(value).hexdigest(), self.ledger.asked
        anew = self.head.anew if not judged else None
        self.head = replace(self.head, sends=sends.to, acts=acts.to, prev=prev, at=at, asked=asked, anew=anew)
        marks = {"sends": last_mark(sends.records), "acts": last_mark(acts.records)}
        last = self.head.last | {name: mark for name, mark in marks.items() if mark}
        facts = restart.facts if restart else None  # what is gone from them is not forgotten by a refused partition
        self.head = replace(self.head, facts=context.followers.fact_logs() if facts is None else facts, last=last)
        transaction.add("ledger", HEAD, self.head.encode())
        if logging.getLogger(__name__).isEnabledFor(logging.DEBUG):
            for decision in judged:
                if decision.verdict not in (None, "clear"):
                    log.debug("send_withheld", partition=self._number, decision=decision.did, codes=decision.codes)
        verdicts = Counter(decision.verdict for decision in judged if decision.verdict)
        log.debug("chunk_judged", partition=self._number, first=sends.start, next=sends.to, n=len(judged), **verdicts)
        return transaction


def waiting(entries: Iterable[Entry]) -> list[str]:
    """Recipient ids of the items that these entries leave open, and that the gate itself may clear."""
    return [whom for entry in entries if (whom := left_open(entry))]
