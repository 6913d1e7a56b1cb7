"""The sealer: follows `manifests`, and seals each that continues its partition as one leaf of the log.

Two locks ensure one writer: on the folder, and by a transactional id, whose transactions record the newest checkpoint.
An outdated copy of the folder is refused before it can sign another tree of the same size.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Container, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from threading import Thread
from time import monotonic, time
from typing import Literal, Self

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import InvalidProducerEpochError, KafkaError, ProducerFencedError
from kafka.structs import OffsetAndMetadata

from gatekeeper.audit.checks import coverage_report
from gatekeeper.audit.checks.branch import NO_FORK, Fork
from gatekeeper.audit.checks.chain import Chain, ChainFinding, SealPosition
from gatekeeper.audit.checks.coverage_report import Covered
from gatekeeper.audit.log.atomic_store import AtomicStore
from gatekeeper.audit.log.tree import Tree
from gatekeeper.audit.log.witness import cosigned
from gatekeeper.audit.log.writer import LogWriter
from gatekeeper.audit.tlog.notes import Checkpoint, Vkey
from gatekeeper.errors import IncompleteError, IntegrityError, UnavailableError
from gatekeeper.keys import Keys, key_name
from gatekeeper.settings import Settings
from gatekeeper.times import instant
from schemas.audit import Count
from schemas.codec import canonical
from schemas.record import Record
from schemas.topics import DAY_MS
from schemas.values import Model
from streams.client.broker_access import REQUEST_MS, connection, reaching
from streams.client.publisher import bounded, transactional
from streams.client.reader import Reader
from streams.operations.branches import forked

CHECKPOINT_SECONDS = 10.0
"""Least seconds between checkpoints; a leaf that comes after a longer silence is sealed at once."""
LOOK_SECONDS = 0.5
WAITING = 10_000
"""Manifests that wait for the ledger's head, at most, while a backlog is read."""

AGAIN_MS = 3_600_000
"""Least milliseconds between a failed coverage check and the next attempt."""

Check = Callable[[], list[Covered]]
"""A check of all topics against the manifests, as `coverage.check` does. It may take long; sealing goes on."""


class State(Model):
    """State of the sealer: the sealed position of each partition, and the time of the last coverage report."""

    v: Literal[1] = 1
    partitions: dict[int, SealPosition]
    reported: Count


@dataclass(frozen=True, slots=True)
class SealerCallbacks:
    """Callbacks for findings, checkpoints and sealed manifests.

    `covered`: a coverage check's findings, and its report's leaf. `unchecked`: the error of a check that failed.
    `passed`: the error for which a witness's file is skipped.
    """

    finding: Callable[[ChainFinding], None]
    sealed: Callable[[Checkpoint], None]
    taken: Callable[[], None] = lambda: None
    covered: Callable[[list[Covered], int], None] = lambda found, leaf: None
    unchecked: Callable[[Exception], None] = lambda error: None
    passed: Callable[[UnavailableError], None] = lambda error: None


class Fence:
    """Holder of the one sealer's transactional id; raises UnavailableError (3) once another sealer has taken it."""

    def __init__(self, settings: Settings, files: AtomicStore, log: LogWriter) -> None:
        self._settings, self._files, self._log = settings, files, log
        self._group = f"{settings.group}.sealer"
        self._place = TopicPartition(settings.topic("manifests"), 0)

    def __enter__(self) -> Self:
        self._demand_newest()
        with ExitStack() as stack:
            self._producer = stack.enter_context(transactional(self._settings, self._group))
            self._demand_newest()
            with self.held():
                pass  # after a crash the broker may only know the previous checkpoint
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Lets the block publish the log's present state; the broker records it once the block is done."""
        newest = OffsetAndMetadata(self._log.size, self._log.root().hex(), -1)
        with reaching(self._settings):
            try:
                self._producer.begin_transaction()
                bounded(lambda: self._producer.send_offsets_to_transaction({self._place: newest}, self._group))
            except (ProducerFencedError, InvalidProducerEpochError):
                raise UnavailableError("error.sealer_fenced", group=self._group) from None
        try:
            yield
        except BaseException:
            with suppress(KafkaError):
                bounded(self._producer.abort_transaction)
            raise
        with reaching(self._settings):
            try:
                bounded(self._producer.commit_transaction)
            except (ProducerFencedError, InvalidProducerEpochError):
                raise UnavailableError("error.sealer_fenced", group=self._group) from None

    def _demand_newest(self) -> None:
        """Raises IntegrityError (4) if the folder does not hold the state that the broker knows to be sealed."""
        with reaching(self._settings):
            consumer = KafkaConsumer(**connection(self._settings), group_id=self._group, enable_auto_commit=False)
            try:
                known = consumer.committed(self._place, metadata=True, timeout_ms=REQUEST_MS)
            finally:
                consumer.close(autocommit=False, timeout_ms=1_000)
        if known is None:
            return
        if known.offset > self._log.size:
            raise IntegrityError("error.log_behind", size=self._log.size, sealed=known.offset)
        if Tree(self._files, known.offset).root().hex() != known.metadata:
            raise IntegrityError("error.log_forked", size=known.offset)


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
        self._checking: Future[list[Covered]] | None = None
        self._keys = Keys(settings.key_folder)
        self._files = AtomicStore(settings.log_folder)
        self._sealed_at = monotonic()
        self._passed: set[str] = set()
        self._waiting: defaultdict[int, list[Record]] = defaultdict(list)
        """Manifests that were read and not taken, by partition."""
        self._forks: dict[int, tuple[int, Fork]] = {}
        """Manifests below an offset that are not on the branch, by partition."""

    def run(self, *, once: bool) -> None:
        """Seals without end, or with `once` only the manifests that exist now.

        Raises UnavailableError (3) without broker or disk, or if another sealer is at work; UsageError (2) without a
        key, or with one of another system; IntegrityError (4) if the folder contradicts itself or the state that the
        broker knows to be sealed.
        """
        self._keys.signer("log")  # without a key no folder is made
        self._keys.demand_group(self._settings.group, "log", "worker")
        with self._files.alone():
            self._take_up()
            with (
                Reader(self._settings) as reader,
                Reader(self._settings) as heads,
                Fence(self._settings, self._files, self._log) as self._fence,
            ):
                positions = self._positions(reader)
                for record in reader.read("manifests", behind=positions):
                    self._waiting[record.partition].append(record)
                    positions[record.partition] = record.offset + 1
                    if sum(map(len, self._waiting.values())) >= WAITING:
                        self._take_waiting(heads, once=once)
                    self._seal_in_time(heads)
                self._seal_in_time(heads, now=True, once=once)
                if once:
                    self._cover_in_time(wait=True)
                    self._seal_in_time(heads, now=True, once=once)
                    return
                for records in reader.coming("manifests", positions, seconds=LOOK_SECONDS):
                    for record in records:
                        self._waiting[record.partition].append(record)
                    self._seal_in_time(heads)

    def _take_up(self) -> None:
        """Continues from the state of the present checkpoint, after comparing it with the leaves."""
        self._log = LogWriter(self._files, signer=lambda: self._keys.signer("log"), verifiers=self._keys.public("log"))
        size, raw = self._log.size, self._log.state()
        try:
            state = State.model_validate_json(raw) if raw or size else State(partitions={}, reported=_now())
        except ValueError:
            raise IntegrityError("error.log_state_missing", name=f"state/{size}") from None
        self._chain = Chain(state.partitions, keys=self._workers)
        if not self._chain.ends(Tree(self._files, size).every_leaf()):
            raise IntegrityError("error.log_state_differs", name=f"state/{size}")
        self._reported = min(state.reported, _now())
        self._due = self._reported + self._every_ms

    def _workers(self) -> list[Vkey]:
        """The workers' public keys; one of another system that came meanwhile is not known."""
        name = key_name(self._settings.group, "worker")
        return [key for key in self._keys.public("worker") if key.name == name]

    def _positions(self, reader: Reader) -> dict[int, int]:
        starts, ends = reader.starts("manifests"), reader.ends("manifests")
        for partition, end in ends.items():
            if self._chain.next(partition) > end:
                where = {"partition": partition, "end": end, "sealed": self._chain.next(partition)}
                raise IntegrityError("error.log_ahead", topic=self._settings.topic("manifests"), **where)
        return {partition: max(start, self._chain.next(partition)) for partition, start in starts.items()}

    def _take_waiting(self, heads: Reader, *, once: bool) -> None:
        """Takes the manifests that were read, except those beside the branch that the ledger's head names.

        Those ahead of the head wait for the next head. While a transaction stays open on the ledger, all wait; with
        `once` that is an error.
        """
        for number in [number for number, records in self._waiting.items() if records]:
            records = self._waiting[number]
            known, found = self._forks.get(number, (0, NO_FORK))
            if records[-1].offset >= known:
                try:
                    known = heads.ends("manifests")[number]
                    found = forked(heads, number, start=records[0].offset, sealed=self._chain.head(number))
                except IncompleteError:
                    if once:
                        raise
                    continue
                self._forks[number] = (0 if found.ahead else known), found
            self._waiting[number] = [one for one in records if _hash(one) in found.ahead]
            for record in records:
                if _hash(record) not in found.ahead:
                    self._take(record, found.beside)

    def _take(self, record: Record, beside: Container[str]) -> None:
        where = record.partition, record.offset, record.value, record.header("gate-sig")
        sealed, findings = self._chain.take(*where, beside)
        for finding in findings:
            self._told.finding(finding)
            if finding.kind == "forked":
                self._log.append(_fork(finding, record.value or b""))
        if sealed:
            self._log.append(record.value or b"")
        self._told.taken()

    def _seal_in_time(self, heads: Reader, *, now: bool = False, once: bool = False) -> None:
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

    def _pass(self, error: UnavailableError) -> None:
        """Reports once each unusable file of a witness."""
        if (file := str(error.values["path"])) not in self._passed:
            self._passed.add(file)
            self._told.passed(error)

    def _cover_in_time(self, *, wait: bool = False) -> None:
        """Starts a coverage check when it is due, and makes its report a leaf when it is done."""
        if self._checking is None and self._check is not None and _now() >= self._due:
            self._checking = _beside(self._check)
        if self._checking is None or not (wait or self._checking.done()):
            return
        checking, self._checking = self._checking, None
        try:
            found = checking.result()
        except Exception as error:  # whatever the error: the manifests must be sealed
            self._due = _now() + min(self._every_ms, AGAIN_MS)
            self._told.unchecked(error)
            return
        self._reported = _now()
        self._due = self._reported + self._every_ms
        leaf = coverage_report.report(found, group=self._settings.group, at=instant(self._reported))
        self._told.covered(found, self._log.append(leaf))

    def _state(self) -> bytes:
        return canonical(State(partitions=self._chain.state(), reported=self._reported).model_dump(mode="json"))


def _hash(record: Record) -> str:
    return sha256(record.value or b"").hexdigest()


def _fork(finding: ChainFinding, value: bytes) -> bytes:
    """The leaf that names a manifest beside the branch: the place, and the hash of its bytes."""
    where = {"partition": finding.partition, "offset": finding.offset, "sha256": sha256(value).hexdigest()}
    return canonical({"v": 1, "kind": "fork", "at": instant(_now()), **where})


def _now() -> int:
    return int(time() * 1000)


def _beside(check: Check) -> Future[list[Covered]]:
    """Makes a check in a thread for which the end of the process does not wait."""
    found: Future[list[Covered]] = Future()

    def work() -> None:
        try:
            found.set_result(check())
        except Exception as error:
            found.set_exception(error)

    Thread(target=work, daemon=True).start()
    return found
