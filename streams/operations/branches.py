"""The branch of each partition's manifests on Kafka, by the heads of the ledger and the statements of people."""

from __future__ import annotations

from collections.abc import Collection
from hashlib import sha256
from typing import NamedTuple

import orjson

from gatekeeper.audit.checks.branch import NO_FORK, Fork, fork
from gatekeeper.audit.log import branch_files
from gatekeeper.audit.tlog.branch_statement import Statement
from gatekeeper.ground.atomic_store import AtomicStore
from gatekeeper.ground.errors import IntegrityError
from gatekeeper.ground.settings import Settings
from gatekeeper.keys import Keys
from gatekeeper.ledger.head import Head
from streams.client import progress
from streams.client.reader import Reader


class Written(NamedTuple):
    """A manifest on Kafka: the SHA-256 (hex) of the one before it, and its offset. Its signature is not checked."""

    prev: str | None
    offset: int


def forked(
    reader: Reader,
    partition: int,
    *,
    start: int,
    sealed: str | None = None,
    chosen: str | None = None,
    known: Collection[str] = (),
) -> Fork:
    """The manifests from the offset `start` on that are not on the branch that counts.

    `sealed`: the manifest before these, None if unknown. `chosen`, `known`: as `branch.fork` takes them. The manifests
    that the caller judges must have been read before. Without a readable head there is no branch, and no fork. Raises
    IncompleteError (5) if a transaction stays open on the ledger, UnavailableError (3) without a broker.
    """
    newest = named_by_head(reader, partition)
    if newest is None:
        return NO_FORK
    links = {hash_: manifest.prev for hash_, manifest in written(reader, partition, start=start).items()}
    if sealed is not None:
        links.setdefault(sealed, "")
    return fork(links, newest, sealed=sealed, chosen=chosen, known=known)


def named_by_head(reader: Reader, partition: int) -> str | None:
    """The manifest that the ledger's head names, None without a readable head. Raises as `forked` does."""
    reader.settled("ledger")
    value = progress.raw(reader, partition)
    try:
        return Head.decode(value).prev if value is not None else None
    except IntegrityError:
        return None


def written(reader: Reader, partition: int, *, start: int = 0) -> dict[str, Written]:
    """The manifests of a partition from an offset on, by SHA-256 (hex), in order; other records are left out."""
    manifests: dict[str, Written] = {}
    end = reader.ends("manifests")[partition]
    for record in reader.between("manifests", partition=partition, start=start, end=end):
        try:
            manifest = orjson.loads(record.value or b"")
            before = manifest["prev"]
        except (ValueError, LookupError, TypeError):
            continue
        if before is None or isinstance(before, str):
            manifests.setdefault(sha256(record.value or b"").hexdigest(), Written(before, record.offset))
    return manifests


def stated(settings: Settings) -> dict[int, Statement]:
    """The statements about branches in the log's folder, by partition; empty without a log on this machine."""
    keys = Keys(settings.key_folder).public("log")
    return branch_files.statements(AtomicStore(settings.log_folder), keys, origin=settings.group)
