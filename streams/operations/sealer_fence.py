"""The sealer's fence: a transactional id that one sealer holds, whose transactions record the newest checkpoint."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Self

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import InvalidProducerEpochError, KafkaError, ProducerFencedError
from kafka.structs import OffsetAndMetadata

from gatekeeper.audit.log.tree import Tree
from gatekeeper.audit.log.writer import LogWriter
from gatekeeper.ground.atomic_store import AtomicStore
from gatekeeper.ground.errors import IntegrityError, UnavailableError
from gatekeeper.ground.settings import Settings
from streams.client.broker_access import REQUEST_MS, connection, reaching
from streams.client.publisher import bounded, transactional


class SealerFence:
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
                committed = consumer.committed(self._place, metadata=True, timeout_ms=REQUEST_MS)
            finally:
                consumer.close(autocommit=False, timeout_ms=1_000)
        if committed is None:
            return
        if committed.offset > self._log.size:
            raise IntegrityError("error.log_behind", size=self._log.size, sealed=committed.offset)
        if Tree(self._files, committed.offset).root().hex() != committed.metadata:
            raise IntegrityError("error.log_forked", size=committed.offset)
