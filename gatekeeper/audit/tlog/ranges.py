"""Ranges of offsets as a manifest accounts for them: each offset holds a record or lies in a gap."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

MAX_PARTITIONS = 100_000
"""Most partitions of an export."""
MAX_RECORDS = 100_000
"""Most records of a transaction."""


def adds_up(first: int, to: int, n: int, gaps: Iterable[tuple[int, int]]) -> bool:
    """Tells whether `n` records and the gaps (first offset, length) fill a range exactly."""
    at, missing = first, 0
    for begin, length in gaps:
        if begin < at or length < 1:
            return False
        at, missing = begin + length, missing + length
    return at <= to and n + missing == to - first


def offsets(taken: dict[str, Any]) -> Iterator[int]:
    """Yields the offsets of an input that hold a record. `taken`: the range and its gaps, as a manifest has them."""
    gaps = taken["gaps"]
    begins = [taken["from"], *(gap["first"] + gap["n"] for gap in gaps)]
    ends = [*(gap["first"] for gap in gaps), taken["to"]]
    return chain.from_iterable(map(range, begins, ends))
