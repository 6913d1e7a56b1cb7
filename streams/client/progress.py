"""The heads of the ledger for readers: the position of each partition, and the mode in which it is judged."""

from __future__ import annotations

from collections.abc import Iterable

from gatekeeper.ground.errors import IntegrityError
from gatekeeper.ground.settings import Settings
from gatekeeper.ledger.head import HEAD, Head
from gatekeeper.ledger.topic_ids import INPUTS, ORDER
from streams.client import admin
from streams.client.reader import Reader
from streams.client.record_hash import mark

HEAD_WITHIN = (500, 10_000)
"""Offsets before the end in which the newest head is searched, then all. Every transaction writes a head."""


def read(reader: Reader, *, unreadable: dict[int, IntegrityError] | None = None) -> dict[int, Head]:
    """The newest head of each partition that has one; an unreadable head concerns its partition alone.

    `unreadable`: receives the errors of unreadable heads, by partition.
    """
    heads = {}
    for number, value in _newest(reader).items():
        try:
            heads[number] = Head.decode(value)
        except IntegrityError as error:
            if unreadable is not None:
                unreadable[number] = error
    return heads


def raw(reader: Reader, partition: int) -> bytes | None:
    """The bytes of a partition's newest head, None without one."""
    return _newest(reader, partition).get(partition)


def replaced(reader: Reader, partition: int, head: Head) -> list[str]:
    """The inputs that are other logs than those which were read up to this head, whatever their topics' ids say."""
    names = []
    for name, position in zip(INPUTS, (head.sends, head.acts), strict=True):
        offset, hash_ = head.last.get(name, (-1, ""))
        if reader.ends(name)[partition] < position:
            names.append(name)
        elif offset >= reader.starts(name)[partition]:
            record = reader.at(name, partition=partition, offset=offset)
            if record is None or mark(record) != (offset, hash_):
                names.append(name)
    return names


def demand_same(reader: Reader, topics: Iterable[str]) -> None:
    """Raises IntegrityError (4) if one of these topics is another log than the one that workers used.

    After two managers let the partitions go on, it no longer does.
    """
    ids, wanted = admin.topic_ids(reader.settings, ORDER), set(topics)
    again = set[str]()
    for number, head in read(reader).items():
        again.update(head.made_again(ids), replaced(reader, number, head) if wanted.intersection(INPUTS) else ())
    if gone := [name for name in topics if name in again]:
        raise IntegrityError("error.topics_made_again", topics=", ".join(gone))


def _newest(reader: Reader, partition: int | None = None) -> dict[int, bytes]:
    wanted = {tp.partition for tp in reader.partitions("ledger") if partition in (None, tp.partition)}
    values: dict[int, bytes] = {}
    for last in (*HEAD_WITHIN, None):
        values = {}
        for record in reader.read("ledger", last=last, partition=partition):
            if record.key == HEAD and record.value is not None:
                values[record.partition] = record.value
        if values.keys() == wanted:
            break
    return values


def of_mode(settings: Settings) -> list[Head]:
    """The heads of all partitions; call it before joining the group or fencing.

    Raises IntegrityError (4) if the ledger is of another mode.
    """
    with Reader(settings) as reader:
        heads = read(reader)
        for number, head in sorted(heads.items()):
            if head.mode != settings.mode:
                where = {"topic": settings.topic("ledger"), "partition": number}
                raise IntegrityError("error.ledger_of_other_mode", written=head.mode, mode=settings.mode, **where)
    return list(heads.values())
