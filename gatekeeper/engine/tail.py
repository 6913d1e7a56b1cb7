"""The last records of a partition: manifests that workers wrote, and audit records that workers may have written.

Others may be able to write to these topics. Records not signed by a worker are skipped.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, NamedTuple

import orjson

from gatekeeper.audit.records.record import FOREIGN
from gatekeeper.audit.tlog import merkle
from gatekeeper.audit.tlog.notes import Vkey
from gatekeeper.ground.times import span
from gatekeeper.ledger.head import Head
from schemas.codec import Unreadable, decode
from schemas.manifests import Manifest
from schemas.record import Record
from schemas.topics import logical_name


@dataclass(frozen=True, slots=True)
class WrittenManifest:
    """A manifest that a worker wrote, and the SHA-256 (hex) of its value."""

    said: Manifest
    hash: str


class WrittenRecord(NamedTuple):
    """An audit record that a worker may have written: its bytes, and its fields."""

    value: bytes
    said: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Tail:
    """The last records of a partition's topics, in order, up to ends that were asked for.

    `manifests`, `audit`: results of `written` and `said`. `cut`: True if retention has deleted some of `audit`, which
    is kept as long as `manifests`. `all_manifests`: True if this holds all manifests that Kafka keeps.
    """

    manifests: Sequence[WrittenManifest]
    audit: Sequence[WrittenRecord]
    cut: bool
    all_manifests: bool


def written(
    records: Iterable[Record],
    audit: Sequence[WrittenRecord],
    *,
    partition: int,
    keys: Sequence[Vkey],
    head: Head | None,
) -> list[WrittenManifest]:
    """The manifests of a partition that workers wrote, in order; manifests by others are skipped.

    Manifests that the head leads back to by their hashes are the workers' own, whoever signed them. A manifest after
    these, or any manifest if there is no head, counts if one of `keys` signed it. `keys`: the public keys of workers
    that are available. A manifest of another key counts if its records are in `audit`. Another host may have a key of
    its own. If `keys` is empty, all manifests count.
    """
    known, order, signed = {key.kid: key for key in keys}, dict[str, Manifest](), set[str]()
    for record in records:
        try:
            manifest: Manifest = decode("manifests", None, record.value)
        except Unreadable:
            continue
        hash_ = sha256(record.value or b"").hexdigest()
        if manifest.partition == partition:
            order.setdefault(hash_, manifest)
            if not known or _signed(record, known.get(manifest.kid)):
                signed.add(hash_)
    dids = {record.said["did"]: index for index, record in enumerate(audit)}
    stands = {
        hash_ for hash_, manifest in order.items() if manifest.kid not in known and _stands(manifest, audit, dids)
    }
    named = head.prev if head is not None and head.prev in order else None
    anchor = (
        named
        or next((hash_ for hash_ in reversed(order) if hash_ in signed), None)
        or next((hash_ for hash_ in order if hash_ in stands), None)
    )
    own = _back(order, anchor)
    claimed = {order[hash_].audit.from_id for hash_ in own}
    behind = False
    for hash_, manifest in order.items():
        if behind and (hash_ in signed or (hash_ in stands and manifest.audit.from_id not in claimed)):
            own |= _back(order, hash_)
            claimed.add(manifest.audit.from_id)
        behind |= hash_ == anchor
    return [WrittenManifest(manifest, hash_) for hash_, manifest in order.items() if hash_ in own]


def _back(order: Mapping[str, Manifest], hash_: str | None) -> set[str]:
    """The hashes of a manifest and of all manifests before it in the chain."""
    hashes = set[str]()
    while hash_ is not None and hash_ in order and hash_ not in hashes:
        hashes.add(hash_)
        hash_ = order[hash_].prev
    return hashes


def _stands(manifest: Manifest, audit: Sequence[WrittenRecord], dids: Mapping[str, int]) -> bool:
    """Tells whether the records of a manifest are in `audit`. Only a worker can have written those."""
    index = dids.get(manifest.audit.from_id or "")
    if index is None or not manifest.audit.n:
        return False
    return merkle.root([record.value for record in audit[index : index + manifest.audit.n]]).hex() == manifest.root


def said(records: Iterable[Record], *, partition: int) -> list[WrittenRecord]:
    """The audit records that a worker may have written, in order, each once; others are skipped."""
    audit = dict[str, WrittenRecord]()
    for record in records:
        try:
            fields = orjson.loads(record.value or b"")
            src, did = fields["src"], fields["did"]
            ours = (fields["v"], src["partition"], did.encode()) == (1, partition, record.key)
            if ours and isinstance(fields["stage"], str) and type(src["offset"]) is int and milliseconds(fields["at"]):
                logical_name(src["topic"])
                audit.setdefault(did, WrittenRecord(record.value or b"", fields))
        except FOREIGN:
            continue
    return list(audit.values())


def _signed(record: Record, key: Vkey | None) -> bool:
    try:
        return key is not None and key.verifies(
            b64decode(record.header("gate-sig"), validate=True), record.value or b""
        )
    except ValueError:
        return False


def milliseconds(instant: str) -> int:
    """An instant of a record in milliseconds since the epoch."""
    return span(instant, "UTC").first // 1000
