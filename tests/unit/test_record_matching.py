"""Strangers among a partition's records: each is named, and none of what the manifests cover is lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from random import Random
from typing import Any

import orjson
import pytest

from gatekeeper.audit.checks.record_matching import RecordMatcher
from gatekeeper.audit.records.record import did
from tests.support.trails import Trail

Row = tuple[int, bytes | None, bytes | None]
"""Offset, key and value."""


def name(value: bytes) -> bytes:
    return str(orjson.loads(value)["did"]).encode()


def rows(records: Sequence[tuple[bytes | None, bytes | None]]) -> list[Row]:
    return [(offset, *record) for offset, record in enumerate(records)]


def written() -> tuple[list[dict[str, Any]], list[list[bytes]], list[tuple[bytes, bytes]]]:
    """Returns manifests of one partition, the records of each, and all of these with their keys."""
    steps = [step for step in Trail(partitions=1, seed=7).write(12).steps if step.records]
    own = [(name(value), value) for step in steps for value in step.records]
    return [orjson.loads(step.value) for step in steps], [list(step.records) for step in steps], own


def sifted(
    said: list[dict[str, Any]], coming: list[Row], **more: Any
) -> tuple[list[list[bytes] | None], RecordMatcher]:
    matcher = RecordMatcher(coming, **more)
    following = [*(later["audit"]["from_id"] for _, later in pairwise(said)), None]
    return [matcher.take(one, next_) for one, next_ in zip(said, following, strict=True)], matcher


def changed(value: bytes) -> tuple[bytes, bytes]:
    """The same decision, told otherwise."""
    return name(value), value.replace(b'"v":1', b'"v":1,"x":0')


def of_another_input(value: bytes) -> tuple[bytes, bytes]:
    src = orjson.loads(value)["src"]
    other = did(src["topic"], src["partition"], src["offset"] + 100_000, "intake").encode()
    return other, value.replace(name(value), other).replace(b'"offset":%d,' % src["offset"], b'"offset":%d,' % 10**6)


def an_act(value: bytes) -> tuple[bytes, bytes]:
    """A record that nothing but the root tells from one of a worker."""
    return b"A" * 26, value.replace(name(value), b"A" * 26).replace(b'"stage":"intake"', b'"stage":"act"')


STRANGERS: dict[str, Callable[[bytes], tuple[bytes | None, bytes | None]]] = {
    "bytes": lambda value: (b"k", b"\xff{"),
    "nothing": lambda value: (name(value), None),
    "no key": lambda value: (None, value),
    "wrong key": lambda value: (b"B" * 26, value),
    "cut": lambda value: (name(value), value[:-1]),
    "a copy": lambda value: (name(value), value),
    "changed": changed,
    "of another input": of_another_input,
    "an act": an_act,
}


@pytest.mark.parametrize("kind", STRANGERS)
def test_one_stranger_anywhere_then_it_is_named_and_every_manifest_has_its_records(kind: str) -> None:
    said, wanted, own = written()
    random = Random(1)
    for place in {0, len(own), *(random.randrange(len(own)) for _ in range(8))}:
        stranger = STRANGERS[kind](random.choice(own[max(0, place - 2) : place + 2])[1])
        found, matcher = sifted(said, rows([*own[:place], stranger, *own[place:]]))
        assert found == wanted, (kind, place)
        assert matcher.rest(len(own) + 1)
        ((first, count),) = matcher.strays.items()
        # of two that are alike in everything either may be it
        assert (first, count) == (place, 1) or [*own, stranger][first - (first > place)] == stranger


def test_given_a_record_that_was_changed_then_what_stands_there_is_returned() -> None:
    said, wanted, own = written()
    own[1] = changed(own[1][1])
    found, matcher = sifted(said, rows(own))
    assert found[1:] == wanted[1:]
    assert found[0] == [value for _, value in own[: len(wanted[0])]]
    assert matcher.rest(len(own))
    assert matcher.strays == {}


def test_given_a_lost_record_then_it_is_short_or_cannot_be_told() -> None:
    said, wanted, own = written()
    found, _ = sifted(said, rows(own[1:]))
    assert found[0] is None
    found, _ = sifted(said[:1], rows(own[: len(wanted[0]) - 1]))
    assert found == [wanted[0][:-1]]
    found, _ = sifted(said[:1], [])
    assert found == [[]]
