"""The review queue on Kafka: read whole, acted on, and the worker's answers waited for."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from time import monotonic

from gatekeeper.review.queue import Doing, Queue
from gatekeeper.settings import Settings
from schemas.codec import encode
from schemas.events import ItemAct, Release
from schemas.topics import subject_key
from streams.client.publisher import Publisher
from streams.client.reader import Reader

WINDOW = 500
"""So many acts are under way at once."""
TICK_SECONDS = 0.25
TOGETHER_MS = 60_000
"""A transaction's records are at most so far apart."""


def read(reader: Reader, *, origins: bool = False) -> Queue:
    """The queue as the committed records tell it.

    `origins`: with the list or form that each item's data came from, for which far more of `audit` is read.
    """
    queue, first = Queue(), None
    for record in reader.read("review"):
        queue.review(record.partition, record.offset, record.value, record.headers)
        if origins:
            # an item and its audit record are written together, the latter perhaps a little earlier
            since = record.timestamp - TOGETHER_MS
            first = since if first is None else min(first, since)
    for record in reader.read("acts"):
        queue.act(record.key, record.value)
        first = record.timestamp if first is None else min(first, record.timestamp)
    if first is not None:
        # an answer comes after its act, and `audit` is long
        for record in reader.read("audit", since=first):
            queue.audit(record.partition, record.offset, record.value, origins=origins)
    return queue


def write(settings: Settings, acts: Collection[Release | ItemAct]) -> Iterator[list[tuple[Release | ItemAct, bool]]]:
    """Writes acts, each where its item stands, and yields window by window which of them are acknowledged.

    One without acknowledgement may have been written all the same: its act id tells, when it is read again.
    """
    waiting = list(acts)
    with Publisher(settings, "acts") as out:
        while waiting:
            window, waiting = waiting[:WINDOW], waiting[WINDOW:]
            records = [(subject_key("acts", act).encode(), encode(act)) for act in window]
            places = out.write(records, [act.review.partition if act.review else 0 for act in window])
            yield [(act, place is not None) for act, place in zip(window, places, strict=True)]


def answers(
    reader: Reader, queue: Queue, ends: Mapping[int, int], waiting: Mapping[str, str], *, seconds: float
) -> Iterator[Doing]:
    """Yields the worker's answers to acts (by act id, the item of each) as they come; ends when all have.

    Ends as well where none came for `seconds`. `ends`: the ends of `audit` before the acts were written; what came
    before them, the queue has been told.
    """
    left = dict(waiting)
    told_at = monotonic()
    coming = reader.coming("audit", ends, seconds=TICK_SECONDS)
    while True:
        for act_id in list(left):
            if found := queue.answer(left[act_id], act_id):
                del left[act_id]
                told_at = monotonic()
                yield found
        if not left or monotonic() - told_at > seconds:
            return
        for record in next(coming):
            queue.audit(record.partition, record.offset, record.value)
