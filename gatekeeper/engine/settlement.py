"""Checks that the last transaction of a partition is complete, and settles an incomplete one.

A transaction writes the head, a manifest and its audit records together. If a part is missing, nobody may judge its
sends again, because some may have gone out. The records that exist count as decided, and the partition goes on after
them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from gatekeeper.audit.tlog import merkle
from gatekeeper.engine.manifest import Taken
from gatekeeper.engine.tail import Tail, WrittenManifest, WrittenRecord, milliseconds
from gatekeeper.ground.errors import IntegrityError
from gatekeeper.ledger.head import Head
from schemas.topics import logical_name

OF_INPUT = {"sends": ("intake",), "acts": ("act", "release")}
"""The stages of an input's own record, by topic; other records are about earlier decisions."""


@dataclass(frozen=True, slots=True)
class Settled:
    """Position from which a partition goes on after an incomplete transaction.

    `head`: the position that follows from manifests and audit records. `records`: audit records without a manifest;
    `took`: the input offsets that they took. The next manifest includes both. `again`: all records whose entries the
    ledger may lack. `least`: the lowest offsets of `sends` and `acts` from which the partition may go on. The ledger
    may be ahead of the records, and never goes back.
    """

    head: Head
    took: tuple[Taken, ...]
    records: tuple[WrittenRecord, ...]
    again: tuple[WrittenRecord, ...]
    least: tuple[int, int]

    def error(self, before: Head, *, topic: str, partition: int) -> IntegrityError:
        """The refusal as an error. `before`: the ledger's head. `topic`: the broker's name of `sends`."""
        (end, acts), sends = self.least, self.head.sends
        where = {"topic": topic, "partition": partition, "position": before.sends}
        return IntegrityError("error.torn", **where, sends=sends, end=end, acts=acts)


def lacking(head: Head, tail: Tail) -> Literal["manifests", "audit"] | None:
    """The topic of which more must be read to find the head's manifest and the records before it.

    None if that is enough.
    """
    named = _named(head, tail)
    last = _last(tail, named)
    if named < 0 or last is None:
        return None if tail.all_manifests else "manifests"
    return None if any(record.said["did"] == last.said.audit.from_id for record in tail.audit) else "audit"


def settled(head: Head, tail: Tail) -> Settled | None:
    """None if the last transaction is complete, else the position from which the partition goes on.

    The transaction is complete if the head names the last manifest, and both have the same position. It must also have
    all its records, with no record after them. A missing manifest is right before the first transaction, and if the
    retention of `audit` has deleted everything. Records of manifests up to the head's `anew` are gone, too.
    """
    newest = tail.manifests[-1] if tail.manifests else None
    tail = replace(tail, cut=tail.cut or _is_gone(tail, head.anew))
    ends = _end(tail, "sends", head.sends), _end(tail, "acts", head.acts)
    whole, orphans = _behind(tail, len(tail.manifests) - 1, ends)
    if newest is None:
        agrees = head.prev is None or tail.cut
    else:
        agrees = (newest.hash, *ends) == (head.prev, head.sends, head.acts)
    if agrees and whole and not orphans:
        return None
    eras = {name: era for name in OF_INPUT if (era := _era(tail, name, head.era(name)))}
    took = _took(orphans, ends, eras)
    position = {logical_name(taken.topic): taken.to for taken in took}
    sends, acts = position.get("sends", ends[0]), position.get("acts", ends[1])
    at = max([head.at, *(milliseconds(record.said["at"]) for record in orphans)])
    prev = newest.hash if newest else head.prev
    named = _named(head, tail)
    again = _behind(tail, named, (head.sends, head.acts))[1] if named >= 0 else orphans
    return Settled(
        replace(head, sends=sends, acts=acts, prev=prev, at=at, eras=eras),
        took,
        tuple(orphans),
        tuple(again),
        (max(sends, head.sends), max(acts, head.acts)),
    )


def _is_gone(tail: Tail, anew: str | None) -> bool:
    """Tells whether the last records claimed belong to that manifest or to one before it."""
    hashes = [manifest.hash for manifest in tail.manifests]
    last = _last(tail, len(hashes) - 1)
    return anew in hashes and last is not None and hashes.index(last.hash) <= hashes.index(anew)


def _named(head: Head, tail: Tail) -> int:
    """The index of the manifest that the head names, -1 if it is not there."""
    return next((index for index, manifest in enumerate(tail.manifests) if manifest.hash == head.prev), -1)


def _end(tail: Tail, name: str, unknown: int) -> int:
    """The next offset of an input according to the last manifest that names one, else `unknown`."""
    for manifest in reversed(tail.manifests):
        moved = {taken.topic: taken.to for taken in manifest.said.in_} | {
            gone.topic: gone.to for gone in manifest.said.skipped
        }
        for topic, to in moved.items():
            if logical_name(topic) == name:
                return to
    return unknown


def _era(tail: Tail, name: str, known: int) -> int:
    """The era of an input by the last manifest that names it, or the known one if that is later."""
    named = (
        taken.era
        for manifest in reversed(tail.manifests)
        for taken in manifest.said.in_
        if logical_name(taken.topic) == name
    )
    return max(known, next(named, 0))


def _last(tail: Tail, place: int) -> WrittenManifest | None:
    """The last manifest up to that index that has records."""
    return next((manifest for manifest in reversed(tail.manifests[: place + 1]) if manifest.said.audit.n), None)


def _behind(tail: Tail, place: int, ends: tuple[int, int]) -> tuple[bool, list[WrittenRecord]]:
    """True if the last records claimed up to that index are there; and the records that follow them.

    `ends`: the positions where those manifests end. A record about an earlier input is not by a worker, so it is left
    out.
    """
    last = _last(tail, place)
    dids = [record.said["did"] for record in tail.audit]
    begin = dids.index(last.said.audit.from_id) if last and last.said.audit.from_id in dids else None
    if last is None or begin is None:
        # the end of those records is unknown, so only a record about an input shows by itself that it follows
        known = last is None and tail.all_manifests and not tail.cut
        behind = [record for record in tail.audit if known or _input(record) is not None]
        return last is None or tail.cut, [record for record in behind if not _taken(record, ends)]
    end = begin + last.said.audit.n
    whole = merkle.root([record.value for record in tail.audit[begin:end]]).hex() == last.said.root
    return whole, [record for record in tail.audit[end:] if not _taken(record, ends)]


def _input(record: WrittenRecord) -> str | None:
    """The topic of the input whose own record this is, None for a record about an earlier decision."""
    name, kind = logical_name(record.said["src"]["topic"]), (record.said.get("act") or {}).get("kind")
    own = record.said["stage"] in OF_INPUT.get(name, ()) or (name == "acts" and kind == "reemit")
    return name if own else None


def _taken(record: WrittenRecord, ends: tuple[int, int]) -> bool:
    name = _input(record)
    return name is not None and bool(record.said["src"]["offset"] < dict(zip(OF_INPUT, ends, strict=True))[name])


def _took(orphans: Sequence[WrittenRecord], ends: tuple[int, int], eras: Mapping[str, int]) -> tuple[Taken, ...]:
    """The input offsets that records took, from `ends` on; offsets between the records are gaps."""
    taken = []
    for name, at in zip(OF_INPUT, ends, strict=True):
        topics = {
            record.said["src"]["offset"]: record.said["src"]["topic"] for record in orphans if _input(record) == name
        }
        start, gaps = at, list[tuple[int, int]]()
        for offset in sorted(topics):
            if offset > at:
                gaps.append((at, offset - at))
            at = offset + 1
        if topics:
            taken.append(Taken(topics[at - 1], start, at, len(topics), gaps, eras.get(name, 0)))
    return tuple(taken)
