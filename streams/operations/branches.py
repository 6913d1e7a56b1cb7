"""The branch of each partition's manifests, by the heads of the ledger."""

from __future__ import annotations

from hashlib import sha256

import orjson

from gatekeeper.audit.checks.branch import NO_FORK, Fork, fork
from gatekeeper.errors import IntegrityError
from gatekeeper.ledger.head import Head
from streams.client import progress
from streams.client.reader import Reader


def forked(reader: Reader, partition: int, *, start: int, sealed: str | None = None) -> Fork:
    """The manifests from the offset `start` on that are not on the branch of the ledger's head.

    `sealed`: the manifest before these, None if unknown. The manifests that the caller judges must have been read
    before. Without a readable head there is no branch, and no fork. Raises IncompleteError (5) if a transaction stays
    open on the ledger, UnavailableError (3) without a broker.
    """
    reader.settled("ledger")
    value = progress.raw(reader, partition)
    try:
        newest = Head.decode(value).prev if value is not None else None
    except IntegrityError:
        return NO_FORK
    if newest is None:
        return NO_FORK
    links: dict[str, str | None] = {} if sealed is None else {sealed: ""}
    end = reader.ends("manifests")[partition]
    for record in reader.between("manifests", partition=partition, start=start, end=end):
        try:
            said = orjson.loads(record.value or b"")
            before = said["prev"]
        except (ValueError, LookupError, TypeError):
            continue
        if before is None or isinstance(before, str):
            links.setdefault(sha256(record.value or b"").hexdigest(), before)
    return fork(links, newest)
