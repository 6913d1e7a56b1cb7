"""Builds one decision's proof: record, manifest, checkpoint, the hashes that connect them, and the people who acted."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import orjson

from gatekeeper.audit.checks.trail import Link, PersonLine, Trail, holds
from gatekeeper.audit.log.sealed import Sealed
from gatekeeper.audit.records.record import FOREIGN
from gatekeeper.audit.tlog.merkle import leaf_hash
from gatekeeper.audit.tlog.proofs import inclusion_proof


def prove(
    trail: Trail,
    did: str,
    log: Sealed | None,
    *,
    keys: Sequence[str],
    told: Callable[[Link], None] = lambda link: None,
) -> bytes | None:
    """The proof of a decision as JSON, as `gatekeeper audit check` reads it; None if the trail has no such record.

    `log`: the sealed log; a manifest outside it is proven by its signature alone. `keys`: the public keys of workers
    and logs, NAME+HASH+BASE64. `told` is called for each link read. Raises the errors of the trail.
    """
    for partition in trail.partitions():
        for link in trail.links(partition):
            told(link)
            for place, record in enumerate(link.records):
                if holds(record, did) and _did(record) == did:
                    return of_record(link, place, log, keys, trail.people())
    return None


def of_record(
    link: Link, place: int, log: Sealed | None, keys: Sequence[str], people: Sequence[PersonLine] = ()
) -> bytes:
    """The proof of the record at this position of a manifest, in the form of `prove`.

    `people`: those of the trail. The proof of a signed act holds the people known at its arrival, and who signed them.
    """
    hashes = inclusion_proof([leaf_hash(record) for record in link.records], place)
    index = log.indexes.get(leaf_hash(link.value)) if log else None
    sealed: dict[str, Any] | None = None
    if log is not None and index is not None:
        sealed = {"index": index, "hashes": _hex(log.tree.inclusion(index)), "checkpoint": log.note}
    manifest = {
        "offset": link.offset,
        "value": link.value.decode(),
        "sig": base64.b64encode(link.signature).decode(),
    }
    record = orjson.loads(link.records[place])
    proof = {
        "v": 2,
        "did": record["did"],
        "record": link.records[place].decode(),
        "path": {"index": place, "hashes": _hex(hashes)},
        "manifest": manifest,
        "log": sealed,
        "keys": list(keys),
        "people": [person.plain for person in _known(people, record)],
    }
    return orjson.dumps(proof, option=orjson.OPT_INDENT_2)


def _known(people: Iterable[PersonLine], record: Mapping[str, Any]) -> list[PersonLine]:
    """The people known when a signed act arrived, and who signed them; nobody for any other record."""
    with suppress(*FOREIGN):  # a changed record, or no act
        if record["act"]["signed"]:
            arrived = int(record["src"]["timestamp"])
            return [person for person in people if person.timestamp <= arrived and _about_people(person)]
    return []


def _about_people(line: PersonLine) -> bool:
    with suppress(*FOREIGN):
        content = orjson.loads(line.value)
        return bool(content["kind"] == "staff" or content["of"].startswith("staff/"))
    return False


def _did(record: bytes) -> Any:
    with suppress(*FOREIGN):  # a changed record, which a check reports
        return orjson.loads(record)["did"]
    return None


def _hex(hashes: Sequence[bytes]) -> list[str]:
    return [hash_.hex() for hash_ in hashes]
