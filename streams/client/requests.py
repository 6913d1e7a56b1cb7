"""Three requests in versions that aiokafka does not speak: they carry the epoch of a partition's leader.

They are sent hundreds of times a second, and while nothing changes, request and answer are the same bytes. So each is
encoded and decoded once.
"""

from __future__ import annotations

from functools import cached_property, lru_cache
from io import BytesIO
from typing import Any
from uuid import UUID

from aiokafka import TopicPartition
from aiokafka.protocol.abstract import AbstractType
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    Array,
    Boolean,
    CompactArray,
    CompactString,
    Int8,
    Int16,
    Int32,
    Int64,
    Schema,
    String,
    TaggedFields,
)

from streams.client.leaders import Answer, Leader

TOPIC = 2
"""Kafka's number for the resource type "topic"."""
MIN_INSYNC = "min.insync.replicas"
_TEXT = String("utf-8")
_SHORT = CompactString("utf-8")
_MORE = ("tags", TaggedFields)


@lru_cache(maxsize=64)
def metadata_requests(topics: tuple[str, ...], beside: tuple[str, ...] = ()) -> tuple[Any, Any]:
    """The requests for a broker's view of these topics: their leaders, their settings.

    `beside`: topics whose leaders alone are asked for, too.
    """
    return Metadata(tuple(dict.fromkeys((*topics, *beside)))), MinInsync(topics)


@lru_cache(maxsize=64)
def as_answer(metadata: Any, configs: Any) -> Answer:
    """A broker's answer to these requests."""
    topics = configs.min_insync.keys()
    own = {tp: leader for tp, leader in metadata.leaders.items() if tp.topic in topics}
    beside = {tp: leader for tp, leader in metadata.leaders.items() if tp.topic not in topics}
    return Answer(own, configs.min_insync, metadata.addresses.keys(), metadata.ids, beside)


@lru_cache(maxsize=256)
def list_offsets(epochs: tuple[tuple[TopicPartition, int], ...], at: int, *, committed: bool) -> Any:
    """The request for offsets that a broker answers only as the leader of exactly these epochs.

    `at`: -1 for the end, -2 for the beginning. `committed`: True for the stable end.
    """
    return ListOffsets(epochs, at, committed=committed)


class _EncodedOnce:
    def encode(self) -> bytes:
        """The bytes."""
        return self._encoded

    @cached_property
    def _encoded(self) -> bytes:
        return super().encode()  # type: ignore[misc, no-any-return]  # of aiokafka's class beside this one


class _DecodedOnce:
    @classmethod
    def decode(cls: Any, data: BytesIO) -> Any:
        """The answer in these bytes, the same object for the same bytes."""
        return _decoded(cls, data.read())


@lru_cache(maxsize=256)
def _decoded(kind: Any, data: bytes) -> Any:
    return super(_DecodedOnce, kind).decode(BytesIO(data))


class _Id(AbstractType[UUID]):
    """The id of a topic: 16 bytes."""

    @classmethod
    def encode(cls, value: UUID) -> bytes:
        """The bytes."""
        return value.bytes

    @classmethod
    def decode(cls, data: BytesIO) -> UUID:
        """The id in the next bytes."""
        return UUID(bytes=data.read(16))


_UNNAMED = UUID(int=0)
"""The id in a request that gives the topic's name."""


class _MetadataResponse(_DecodedOnce, Response):
    API_KEY, API_VERSION = 3, 12
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("brokers", CompactArray(("node_id", Int32), ("host", _SHORT), ("port", Int32), ("rack", _SHORT), _MORE)),
        ("cluster_id", _SHORT),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("topic", _SHORT),
                ("topic_id", _Id),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        _MORE,
                    ),
                ),
                ("authorized_operations", Int32),
                _MORE,
            ),
        ),
        _MORE,
    )

    @cached_property
    def errors(self) -> dict[str, int]:
        """Kafka's error by topic, for topics that the broker says nothing else about."""
        return {name: error for error, name, *_ in self.topics if error}

    @cached_property
    def ids(self) -> dict[str, str]:
        """Kafka's id of each topic, as this broker believes. A topic that is made again gets another one."""
        return {name: str(id_) for error, name, id_, *_ in self.topics if not error}

    @cached_property
    def addresses(self) -> dict[int, tuple[str, int]]:
        """Host and port of each broker that exists, as this broker believes."""
        return {node: (host, port) for node, host, port, *_ in self.brokers}

    @cached_property
    def leaders(self) -> dict[TopicPartition, Leader]:
        """The leader of each partition, as this broker believes."""
        return {
            TopicPartition(name, number): Leader(epoch, leader, frozenset(replicas), of=str(id_))
            for _, name, id_, _, partitions, *_ in self.topics
            for _, number, leader, epoch, replicas, *_ in partitions
        }


class _MetadataRequest(_EncodedOnce, RequestStruct):
    API_KEY, API_VERSION, RESPONSE_TYPE = 3, 12, _MetadataResponse
    FLEXIBLE_VERSION = True
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", _Id), ("topic", _SHORT), _MORE)),
        ("allow_auto_topic_creation", Boolean),
        ("include_topic_authorized_operations", Boolean),
        _MORE,
    )


class Metadata(Request[_MetadataRequest]):
    """Asks a broker for the ids of these topics, and for the leaders of their partitions; creates no topic."""

    API_KEY = 3

    def __init__(self, topics: tuple[str, ...]) -> None:
        self._struct = _MetadataRequest([(_UNNAMED, topic, {}) for topic in topics], False, False, {})

    def build(self, _: Any) -> Any:
        """The request to send."""
        return self._struct


class _ConfigsResponse(_DecodedOnce, Response):
    API_KEY, API_VERSION = 32, 1
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "resources",
            Array(
                ("error_code", Int16),
                ("error_message", _TEXT),
                ("resource_type", Int8),
                ("resource_name", _TEXT),
                (
                    "entries",
                    Array(
                        ("name", _TEXT),
                        ("value", _TEXT),
                        ("read_only", Boolean),
                        ("source", Int8),
                        ("is_sensitive", Boolean),
                        ("synonyms", Array(("name", _TEXT), ("value", _TEXT), ("source", Int8))),
                    ),
                ),
            ),
        ),
    )

    @cached_property
    def min_insync(self) -> dict[str, int]:
        """Min.insync.replicas by topic; 1 if the broker does not tell it, which requires the most answers."""
        fewest = {}
        for error, _, _, topic, entries in self.resources:
            values = [] if error else [int(value) for name, value, *_ in entries if name == MIN_INSYNC]
            fewest[topic] = values[0] if values else 1
        return fewest


class _ConfigsRequest(_EncodedOnce, RequestStruct):
    API_KEY, API_VERSION, RESPONSE_TYPE = 32, 1, _ConfigsResponse
    SCHEMA = Schema(
        ("resources", Array(("resource_type", Int8), ("resource_name", _TEXT), ("names", Array(_TEXT)))),
        ("include_synonyms", Boolean),
    )


class MinInsync(Request[_ConfigsRequest]):
    """Asks a broker how many replicas must have a record before it is acknowledged on these topics."""

    API_KEY = 32

    def __init__(self, topics: tuple[str, ...]) -> None:
        self._struct = _ConfigsRequest([(TOPIC, topic, [MIN_INSYNC]) for topic in topics], False)

    def build(self, _: Any) -> Any:
        """The request to send."""
        return self._struct


class _ListOffsetsResponse(_DecodedOnce, Response):
    API_KEY, API_VERSION = 2, 5
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "topics",
            Array(
                ("topic", _TEXT),
                (
                    "partitions",
                    Array(
                        ("partition", Int32),
                        ("error_code", Int16),
                        ("timestamp", Int64),
                        ("offset", Int64),
                        ("leader_epoch", Int32),
                    ),
                ),
            ),
        ),
    )

    @cached_property
    def found(self) -> dict[TopicPartition, tuple[int, int]]:
        """Kafka's error, 0 for none, and the offset of each partition."""
        return {
            TopicPartition(name, number): (error, offset)
            for name, partitions in self.topics
            for number, error, _, offset, _ in partitions
        }


class _ListOffsetsRequest(_EncodedOnce, RequestStruct):
    API_KEY, API_VERSION, RESPONSE_TYPE = 2, 5, _ListOffsetsResponse
    SCHEMA = Schema(
        ("replica_id", Int32),
        ("isolation_level", Int8),
        (
            "topics",
            Array(
                ("topic", _TEXT),
                (
                    "partitions",
                    Array(("partition", Int32), ("current_leader_epoch", Int32), ("timestamp", Int64)),
                ),
            ),
        ),
    )


class ListOffsets(Request[_ListOffsetsRequest]):
    """Asks a broker for offsets, which it gives only as the leader of exactly these epochs."""

    API_KEY = 2

    def __init__(self, epochs: tuple[tuple[TopicPartition, int], ...], at: int, *, committed: bool) -> None:
        topics: dict[str, list[tuple[int, int, int]]] = {}
        for tp, epoch in epochs:
            topics.setdefault(tp.topic, []).append((tp.partition, epoch, at))
        self._struct = _ListOffsetsRequest(-1, int(committed), list(topics.items()))

    def build(self, _: Any) -> Any:
        """The request to send."""
        return self._struct
