"""The review queue on Kafka: reads it whole, writes acts, and waits for the worker's answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from time import monotonic

from gatekeeper.ground.settings import Settings
from gatekeeper.review.queue import Queue
from gatekeeper.review.review_item import ActOnItem
from schemas.codec import encode
from schemas.events import ItemAct, Release
from schemas.topics import subject_key
from streams.client.outgoing import Outgoing
from streams.client.publisher import Publisher
from streams.client.reader import Reader
from streams.client.signatory import Signatory

WINDOW = 500
"""Acts under way at once."""
TICK_SECONDS = 0.25
ACT = b'"act":{'
"""Bytes of each audit record about an act; workers write no white space."""
TOGETHER_MS = 60_000
"""Milliseconds by which a transaction's records may lie apart."""


def read(
    reader: Reader,
    *,
    item: str | None = None,
    origins: bool = False,
    taken: Callable[[], object] = lambda: None,
) -> Queue:
    """The queue according to the committed records; `taken` is called for each record that counts.

    `item`: only the item of this decision id, with its acts. `origins`: with the list or form of each item's data, for
    which far more of `audit` is read.
    """
    queue, first = Queue(), None
    terms = [item.encode()] if item else []
    for record in reader.read("review", containing=terms):
        taken()
        queue.review(record.partition, record.offset, record.value, record.headers)
        if origins:
            # an item and its audit record are written together, the latter perhaps a little earlier
            since = record.timestamp - TOGETHER_MS
            first = since if first is None else min(first, since)
    for record in reader.read("acts"):
        taken()
        queue.act(record.key, record.value)
        first = record.timestamp if first is None else min(first, record.timestamp)
    if first is not None:
        # an answer comes after its act, and `audit` is long
        for record in reader.read("audit", since=first, containing=() if origins else terms or [ACT]):
            taken()
            queue.audit(record.partition, record.offset, record.value, origins=origins)
    return queue


def outgoing(act: Release | ItemAct) -> Outgoing:
    """The record of an act, on its item's partition."""
    partition = act.review.partition if act.review else 0
    return Outgoing("acts", subject_key("acts", act).encode(), encode(act), partition)


def write(
    settings: Settings, acts: Iterable[Release | ItemAct], signatory: Signatory | None = None
) -> Iterator[list[tuple[Release | ItemAct, bool]]]:
    """Writes acts, each on its item's partition, and yields for each window which acts are acknowledged.

    `acts`: taken window by window, so that each can be dated as it is written. `signatory`: as for `Publisher`. An act
    without acknowledgement may have been written all the same; its act id shows that in a later read.
    """
    waiting = iter(acts)
    with Publisher(settings, "acts", signatory) as out:
        while window := list(islice(waiting, WINDOW)):
            places = out.send([outgoing(act) for act in window])
            yield [(act, place is not None) for act, place in zip(window, places, strict=True)]


def answers(
    reader: Reader, queue: Queue, ends: Mapping[int, int], waiting: Mapping[str, str], *, seconds: float
) -> Iterator[ActOnItem]:
    """Yields the worker's answers to acts (item by act id) as they come; ends when all have come.

    Also ends after `seconds` without an answer. `ends`: the ends of `audit` before the acts were written; the queue
    already has the records before them.
    """
    left = dict(waiting)
    told_at = monotonic()
    coming = reader.coming("audit", ends, seconds=TICK_SECONDS)
    while True:
        for act_id in list(left):
            if answer := queue.answer(left[act_id], act_id):
                del left[act_id]
                told_at = monotonic()
                yield answer
        if not left or monotonic() - told_at > seconds:
            return
        for record in next(coming):
            queue.audit(record.partition, record.offset, record.value)
