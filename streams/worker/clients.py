"""The only place where the worker makes Kafka clients; the group's own is Faust's."""

from __future__ import annotations

from aiokafka import AIOKafkaConsumer

from gatekeeper.settings import Settings
from streams.client.connection import reached
from streams.client.leaders import Cluster, Leaders
from streams.client.log_ends import RETRY_MS, Ends

REQUEST_SECONDS = 5.0
"""A broker that is silent for so long is left; Kafka gives it up after 9 seconds by itself."""
FETCH_BYTES = 1 << 20
"""So much of a partition is fetched at once."""


class Clients:
    """Makes clients, not started, as the settings say; raises as `reached` does. A simulation gives its own."""

    def __init__(self, settings: Settings) -> None:
        self._reached = {**reached(settings), "request_timeout_ms": int(REQUEST_SECONDS * 1000)}
        self._leaders = Leaders()

    def reader(self, *, wait_ms: int = 50, fetch_bytes: int = FETCH_BYTES) -> AIOKafkaConsumer:
        """Returns a reader without group, for committed records only, that is to be assigned by hand.

        `wait_ms`: how long the broker keeps a fetch open while there is nothing to answer it with.
        """
        reader = AIOKafkaConsumer(
            **self._reached,
            enable_auto_commit=False,
            isolation_level="read_committed",
            auto_offset_reset="none",
            fetch_max_wait_ms=wait_ms,
            max_partition_fetch_bytes=fetch_bytes,
            retry_backoff_ms=RETRY_MS,
        )
        reader._client.cluster = Cluster(self._leaders)  # a private name: tests/unit/test_private_names.py
        return reader

    def ends(self) -> Ends:
        """Returns who knows the bounds of logs."""
        return Ends(self._leaders, **self._reached)
