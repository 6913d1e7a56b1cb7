"""The stops on file that came with a list's row, and the duties that rejected rows leave (domain rule 8.1.37)."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.codec import Unreadable, decode
from schemas.events import Suppression
from streams.client.reader import Reader


def stops(reader: Reader) -> Iterator[Suppression]:
    """Yields the stops on file that can be read; raises as `Reader.read` does."""
    for record in reader.read("suppressions"):
        try:
            stop: Suppression = decode("suppressions", record.key, record.value)
        except Unreadable:
            continue
        yield stop
