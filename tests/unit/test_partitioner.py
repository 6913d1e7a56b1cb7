"""Our murmur2 against the one of the Kafka client."""

from __future__ import annotations

import random

from kafka.partitioner.default import murmur2 as theirs

from gatekeeper.ground.partitioner import murmur2, partition_of


def test_any_key_hashed_then_as_the_kafka_client_does() -> None:
    rng = random.Random(1)
    for length in range(40):
        key = rng.randbytes(length)
        assert murmur2(key) & 0x7FFFFFFF == theirs(key) & 0x7FFFFFFF


def test_known_keys_hashed_then_as_the_java_client_does() -> None:
    # from org.apache.kafka.common.utils.UtilsTest
    assert murmur2(b"21") == -973932308 & 0xFFFFFFFF
    assert murmur2(b"foobar") == -790332482 & 0xFFFFFFFF
    assert murmur2(b"a-little-bit-long-string") == -985981536 & 0xFFFFFFFF
    assert 0 <= partition_of(b"foobar", 8) < 8
