"""The sealer: follows `manifests`, and seals each that continues its partition as one leaf of the log.

Two locks ensure one writer: on the folder, and by a transactional id, whose transactions record the newest checkpoint.
An outdated copy of the folder is refused before it can sign another tree of the same size.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Container
from dataclasses import dataclass
from hashlib import sha256
from time import monotonic, time
from typing import Literal

from gatekeeper.audit.checks import coverage_report
from gatekeeper.audit.checks.branch import NO_FORK, Fork
from gatekeeper.audit.checks.chain import Chain, ChainFinding
from gatekeeper.audit.checks.coverage_report import Covered
from gatekeeper.audit.checks.sealed_ends import SealPosition
from gatekeeper.audit.log import branch_files
from gatekeeper.audit.log.tree import Tree
from gatekeeper.audit.log.witness import cosigned
from gatekeeper.audit.log.writer import LogWriter
from gatekeeper.audit.tlog.notes import Checkpoint, Vkey
from gatekeeper.ground.atomic_store import AtomicStore
from gatekeeper.ground.errors import GatekeeperError, IncompleteError, IntegrityError, RestartError
from gatekeeper.ground.settings import Settings
from gatekeeper.ground.times import instant
from gatekeeper.keys import Keys, key_name
from schemas.codec import canonical
from schemas.record import Record
from schemas.topics import DAY_MS
from schemas.values import Count, Model
from streams.client.proven_position import stands
from streams.client.reader import Reader
from streams.operations.branches import forked, written
from streams.operations.coverage_rounds import Check, CoverageRounds
from streams.operations.sealer_branches import SealerBranches
from streams.operations.sealer_fence import SealerFence

CHECKPOINT_SECONDS = 10.0
"""Least seconds between checkpoints; a leaf that comes after a longer silence is sealed at once."""
LOOK_SECONDS = 0.5
WAITING = 10_000
"""Manifests that wait for the ledger's head, at most, while a backlog is read."""


class SealerState(Model):
    """State of the sealer: the sealed position of each partition, and the time of the last coverage report."""

    v: Literal[1] = 1
    partitions: dict[int, SealPosition]
    reported: Count


@dataclass(frozen=True, slots=True)
class SealerCallbacks:
    """Callbacks for findings, checkpoints and sealed manifests.

    `covered`: a coverage check's findings, and its report's leaf. `unchecked`: the error of a check that failed.
    `passed`: the error for which a file of a witness, or of a statement, is skipped. `unsealed`: the number of
    manifests that were read and are not sealed yet, after each look.
    """

    finding: Callable[[ChainFinding], None]
    sealed: Callable[[Checkpoint], None]
    taken: Callable[[], None] = lambda: None
    covered: Callable[[list[Covered], int], None] = lambda results, leaf: None
    unchecked: Callable[[Exception], None] = lambda error: None
    passed: Callable[[GatekeeperError], None] = lambda error: None
    unsealed: Callable[[int], None] = lambda count: None


class Sealer:
    """Sealer of the manifests that exist, and then of new ones."""

    def __init__(
        self,
        settings: Settings,
        *,
        told: SealerCallbacks,
        seconds: float,
        check: Check | None = None,
        every_ms: int = DAY_MS,
    ) -> None:
        """`seconds`: least time between checkpoints. `check`: made every `every_ms` ms; its report is a leaf."""
        self._settings, self._told, self._seconds = settings, told, seconds
        self._check, self._every_ms = check, every_ms
        self._keys = Keys(settings.key_folder)
        self._files = AtomicStore(settings.log_folder)
        self._sealed_at = monotonic()
        self._passed: set[str] = set()
        self._waiting: defaultdict[int, list[Record]] = defaultdict(list)
        """Manifests that were read and not taken, by partition."""
        self._read: dict[int, int] = {}
        """The offset after the last manifest that was read, by partition."""
        self._forks: dict[int, tuple[int, Fork]] = {}
        """Manifests below an offset that are not on the branch, by partition."""

    def run(self, *, once: bool) -> None:
        """Seals without end, or with `once` only the manifests that exist now.

        Raises UnavailableError (3) without broker or disk, or if another sealer is at work. Raises UsageError (2)
        without a key, or with one of another system. Raises IntegrityError (4) if the folder contradicts itself or the
        state that the broker knows to be sealed.
        """
        self._keys.signer("log")  # without a key no folder is made
        self._keys.demand_group(self._settings.group, "log", "worker")
        with self._files.alone():
            self._take_up()
            with (
                Reader(self._settings) as reader,
                Reader(self._settings) as heads,
                SealerFence(self._settings, self._files, self._log) as self._fence,
            ):
                self._read = self._positions(reader, heads)
                proven = reader.connections
                for record in reader.read("manifests", behind=dict(self._read)):
                    self._wait(record)
                    if sum(map(len, self._waiting.values())) >= WAITING:
                        self._take_waiting(heads, once=once)
                    self._seal_in_time(heads)
                self._seal_in_time(heads, now=True, once=once)
                if once:
                    self._cover_in_time(wait=True)
                    self._seal_in_time(heads, now=True, once=once)
                    return
                for records in reader.coming("manifests", dict(self._read), seconds=LOOK_SECONDS):
                    if reader.connections != proven:
                        proven = reader.connections
                        self._demand_same(heads)
                    for record in records:
                        self._wait(record)
                    self._seal_in_time(heads)

    def _take_up(self) -> None:
        """Continues from the state of the present checkpoint, after comparing it with the leaves."""
        self._log = LogWriter(self._files, signer=lambda: self._keys.signer("log"), verifiers=self._keys.public("log"))
        size, raw = self._log.size, self._log.state()
        try:
            state = SealerState.model_validate_json(raw) if raw or size else SealerState(partitions={}, reported=_now())
        except ValueError:
            raise IntegrityError("error.log_state_missing", name=f"state/{size}") from None
        self._chain = Chain(state.partitions, keys=self._workers)
        if not self._chain.ends(Tree(self._files, size).every_leaf()):
            raise IntegrityError("error.log_state_differs", name=f"state/{size}")
        self._branches = SealerBranches(self._files, self._log, self._chain, self._told.finding)
        self._rounds = CoverageRounds(self._check, every_ms=self._every_ms, reported=min(state.reported, _now()))

    def _workers(self) -> list[Vkey]:
        """The workers' public keys; one of another system that came meanwhile is not known."""
        name = key_name(self._settings.group, "worker")
        return [key for key in self._keys.public("worker") if key.name == name]

    def _positions(self, reader: Reader, heads: Reader) -> dict[int, int]:
        """The offset to read from, by partition. One whose sealed manifest is gone is held until somebody chose.

        Raises IntegrityError (4) if nothing tells how it could go on.
        """
        starts, ends = reader.starts("manifests"), reader.ends("manifests")
        positions = {partition: max(start, self._chain.next(partition)) for partition, start in starts.items()}
        for partition in self._lost(heads):
            if self._branches.hold(heads, partition, starts[partition]):
                positions[partition] = ends[partition]
            else:
                raise self._ahead(partition, ends[partition])
        for partition, end in ends.items():
            if positions[partition] > end:
                raise self._ahead(partition, end)
        return positions

    def _ahead(self, partition: int, end: int) -> IntegrityError:
        """The error for a partition that does not have what is sealed."""
        where = {"partition": partition, "end": end, "sealed": self._chain.next(partition)}
        return IntegrityError("error.log_ahead", topic=self._settings.topic("manifests"), **where)

    def _demand_same(self, heads: Reader) -> None:
        """Raises RestartError (70) if the broker lost a sealed manifest: it was put back to an older state."""
        for partition in self._lost(heads):
            if not self._branches.is_held(partition):
                where = {"partition": partition, "offset": self._chain.next(partition) - 1}
                raise RestartError("error.record_vanished", topic=self._settings.topic("manifests"), **where)

    def _lost(self, reader: Reader) -> list[int]:
        """The partitions whose manifest that was sealed last is not on the broker, nor before all that it keeps."""
        lost = []
        for partition in reader.ends("manifests"):
            sealed, last = self._chain.head(partition), self._chain.next(partition) - 1
            if sealed is None or stands(reader, "manifests", partition=partition, offset=last, digest=sealed):
                continue
            if sealed not in written(reader, partition):  # after a choice it stands further back
                lost.append(partition)
        return lost

    def _wait(self, record: Record) -> None:
        self._waiting[record.partition].append(record)
        self._read[record.partition] = record.offset + 1

    def _take_waiting(self, heads: Reader, *, once: bool) -> None:
        """Follows the statements that came, and takes the manifests that were read."""
        keys, origin = self._keys.public("log"), self._settings.group
        stated = branch_files.statements(self._files, keys, origin=origin, passed=self._pass)
        statements = [statement for number, statement in stated.items() if number in self._read]
        for number, start in self._branches.follow(heads, statements, at=instant(_now())).items():
            self._waiting[number] = []
            self._forks = {partition: fork for partition, fork in self._forks.items() if partition != number}
            for first in range(start, self._read[number], WAITING):
                end = min(first + WAITING, self._read[number])
                self._waiting[number] += heads.between("manifests", partition=number, start=first, end=end)
                self._take_waiting_of(number, heads, once=once)
        for number in [number for number, records in self._waiting.items() if records]:
            self._take_waiting_of(number, heads, once=once)

    def _take_waiting_of(self, number: int, heads: Reader, *, once: bool) -> None:
        """Takes a partition's manifests that were read, except those beside the branch that counts.

        Those ahead of the ledger's head wait for the next head. While a transaction stays open on the ledger, all wait;
        with `once` that is an error. If the head is on another branch than the sealed manifests, the partition is held.
        """
        records = self._waiting[number]
        known, fork = self._forks.get(number, (0, NO_FORK))
        if records and not self._branches.is_held(number) and records[-1].offset >= known:
            try:
                known = heads.ends("manifests")[number]
                start, sealed = records[0].offset, self._chain.head(number)
                chosen, forks = self._chain.chosen(number), self._chain.forks(number)
                fork = forked(heads, number, start=start, sealed=sealed, chosen=chosen, known=forks)
                if fork.apart:
                    self._branches.hold(heads, number, start)
            except IncompleteError:
                if once:
                    raise
                return
            self._forks[number] = (0 if fork.ahead else known), fork
        if self._branches.is_held(number):
            self._waiting[number] = []
            return
        self._waiting[number] = [record for record in records if _hash(record) in fork.ahead]
        for record in records:
            if _hash(record) not in fork.ahead:
                self._take(record, fork.beside)

    def _take(self, record: Record, beside: Container[str]) -> None:
        where = record.partition, record.offset, record.value, record.header("gate-sig")
        sealed, findings = self._chain.take(*where, beside)
        for finding in findings:
            if finding.fault == "forked_manifest":
                if not self._chain.tell(record.partition, _hash(record)):
                    continue  # an earlier run has sealed and reported it
                self._log.append(_fork(finding, record.value or b""))
            self._told.finding(finding)
        if sealed:
            self._log.append(record.value or b"")
        self._told.taken()

    def _seal_in_time(self, heads: Reader, *, now: bool = False, once: bool = False) -> None:
        self._seal(heads, now=now, once=once)
        waiting = sum(map(len, self._waiting.values()))
        self._told.unsealed(waiting + self._log.size - self._log.sealed.size)

    def _seal(self, heads: Reader, *, now: bool, once: bool) -> None:
        if not now and monotonic() - self._sealed_at < self._seconds:
            return
        self._take_waiting(heads, once=once)
        self._cover_in_time()
        if self._log.size > self._log.sealed.size:
            self._sealed_at = monotonic()
            with self._fence.held():
                self._told.sealed(self._log.seal(self._state()))
        self._cosign()

    def _cosign(self) -> None:
        """Takes the cosignatures of the witnesses; no fault in them keeps a manifest from being sealed."""
        witnesses = self._keys.public("witness")
        for left in cosigned(self._files, witnesses, self._pass):
            self._log.cosign(left, witnesses)

    def _pass(self, error: GatekeeperError) -> None:
        """Reports once each unusable file of a witness, or of a statement."""
        if str(error) not in self._passed:
            self._passed.add(str(error))
            self._told.passed(error)

    def _cover_in_time(self, *, wait: bool = False) -> None:
        """Makes the report of a finished coverage check a leaf; the manifests are sealed whatever the check's error."""
        try:
            results = self._rounds.step(_now, wait=wait)
        except Exception as error:
            self._told.unchecked(error)
            return
        if results is not None:
            at = instant(self._rounds.reported)
            leaf = self._log.append(coverage_report.report(results, group=self._settings.group, at=at))
            self._told.covered(results, leaf)

    def _state(self) -> bytes:
        return canonical(
            SealerState(partitions=self._chain.state(), reported=self._rounds.reported).model_dump(mode="json")
        )


def _hash(record: Record) -> str:
    return sha256(record.value or b"").hexdigest()


def _fork(finding: ChainFinding, value: bytes) -> bytes:
    """The leaf that names a manifest beside the branch: the place, and the hash of its bytes."""
    where = {"partition": finding.partition, "offset": finding.offset, "sha256": sha256(value).hexdigest()}
    return canonical({"v": 1, "kind": "fork", "at": instant(_now()), **where})


def _now() -> int:
    return int(time() * 1000)
