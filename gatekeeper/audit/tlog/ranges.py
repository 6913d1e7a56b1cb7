"""Ranges of offsets as a manifest accounts for them: each offset holds a record or lies in a gap."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

MAX_PARTITIONS = 100_000
"""Most partitions of an export."""
MAX_RECORDS = 100_000
"""Most records of a transaction."""


def adds_up(taken: Mapping[str, Any]) -> bool:
    """Tells whether records and gaps fill a range exactly. `taken`: as `offsets` takes it."""
    at, missing = taken["from"], 0
    for gap in taken["gaps"]:
        if gap["first"] < at or gap["n"] < 1:
            return False
        at, missing = gap["first"] + gap["n"], missing + gap["n"]
    return bool(at <= taken["to"] and taken["n"] + missing == taken["to"] - taken["from"])


def offsets(taken: Mapping[str, Any]) -> Iterator[int]:
    """Yields the offsets of an input that hold a record. `taken`: the range and its gaps, as a manifest has them."""
    return chain.from_iterable(spans(taken))


def spans(taken: Mapping[str, Any]) -> Iterator[range]:
    """Yields the offsets outside the gaps, as one range before each gap and one behind the last."""
    gaps = taken["gaps"]
    begins = [taken["from"], *(gap["first"] + gap["n"] for gap in gaps)]
    ends = [*(gap["first"] for gap in gaps), taken["to"]]
    return map(range, begins, ends)
