"""One touch of a passkey, which signs many acts at once, or one record: asked first, then made into signatures."""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import uuid4

from gatekeeper.audit.tlog.merkle import leaf_hash, root_of
from gatekeeper.audit.tlog.proofs import inclusion_proofs
from gatekeeper.ground.errors import UsageError
from gatekeeper.staff import signatures
from gatekeeper.staff.message import row_of, table_message
from gatekeeper.staff.signature_check import challenge, proven
from gatekeeper.staff.signatures import Draft
from schemas.codec import decode
from schemas.events.staff import MAX_ROWS
from streams.client.outgoing import Outgoing
from streams.client.signatory import BLIND_BYTES, SIGNED, Signed


class Row(NamedTuple):
    """One row of what a touch signs. `campaign`: `-` for acts that name none. `acts`: their number."""

    kind: str
    campaign: str
    acts: int


def apart(records: Sequence[Outgoing]) -> list[list[Outgoing]]:
    """The records of each touch: every record of `reference` alone, and all others together."""
    alone = list({record.value: [record] for record in records if record.topic == "reference"}.values())
    others = [record for record in records if record.topic != "reference"]
    return [*alone, *([others] if others else [])]


def rows(records: Sequence[Outgoing]) -> list[Row]:
    """The table that one touch of these records signs; empty if it signs one text. Raises UsageError (2) if too long.

    A record that several partitions hold counts once.
    """
    return [Row(*row, len(values)) for row, values in _by_row(_once(records)).items()]


class PasskeyPrompt:
    """The records that one touch of a passkey signs. Many acts are a table with a row for each kind and campaign.

    A record that several partitions hold has one signature. The touch is good for 10 minutes from now.
    `by`: the person. `key`: fields of `schemas.events.staff.StaffKey`, of a passkey. `origin`: the name of the log.
    Raises UsageError (2) for a table that is too long, ValueError for a record of `reference` with others.
    """

    def __init__(self, records: Sequence[Outgoing], *, by: str, key: Mapping[str, Any], origin: str) -> None:
        self._key, self._who, self._origin = key, signatures.passkey_holder(by, key["id"]), origin
        self._at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        if len(apart(records)) > 1:
            raise ValueError("a record of reference is signed alone")
        once = _once(records)
        self._drafts = {value: self._draft(record) for value, record in once.items()}
        trees = _by_row(once)
        hashes = {row: [leaf_hash(self._drafts[value].text) for value in tree] for row, tree in trees.items()}
        self._table = tuple(
            {"kind": kind, "count": len(leaves), "root": root_of(leaves).hex()}
            | ({"campaign": campaign} if campaign != "-" else {})
            for (kind, campaign), leaves in hashes.items()
        )
        self._places: dict[bytes, dict[str, Any]] = {}
        for number, (row, tree) in enumerate(trees.items()):
            for index, path in enumerate(inclusion_proofs(hashes[row])):
                place = {"row": number, "index": index, "path": tuple(step.hex() for step in path)}
                self._places[tree[index]] = {"table": {"rows": self._table, **place}}

    @property
    def challenge(self) -> bytes:
        """The challenge for the passkey: SHA-256 of the one text, or of the text of the table."""
        return challenge(table_message(self._table) if self._table else next(iter(self._drafts.values())).text)

    def signatory(self, assertion: Mapping[str, str]) -> PasskeySignatory:
        """The signatory of these records, once the person has touched the passkey.

        `assertion`: `sig`, `authenticator` and `client` in base64. Raises UsageError (2) unless it is this passkey's,
        over this challenge, on a page of this console. The user must be verified.
        """
        proofs = {value: {"method": "passkey", **assertion, **self._places.get(value, {})} for value in self._drafts}
        first, draft = next(iter(self._drafts.items()))
        if not proven(proofs[first], self._key, draft.text):
            raise UsageError("error.passkey_refused")
        return PasskeySignatory({value: draft.made(proofs[value]) for value, draft in self._drafts.items()})

    def _draft(self, record: Outgoing) -> Draft:
        blind = secrets.token_hex(BLIND_BYTES)
        if record.topic == "acts":
            act = decode("acts", record.key, record.value)
            return signatures.act_draft(act, self._who, origin=self._origin, at=self._at, blind=blind)
        if record.topic == "reference":
            name, id_ = (record.key or b"").decode(), uuid4().hex
            return signatures.reference_draft(name, record.value, self._who, origin=self._origin, at=self._at, id_=id_)
        stop = decode("suppressions", record.key, record.value)
        return signatures.correction_draft(stop, self._who, origin=self._origin, at=self._at, blind=blind)


def _once(records: Sequence[Outgoing]) -> dict[bytes, Outgoing]:
    """The records to sign, by their bytes."""
    return {record.value: record for record in records if _signed(record)}


def _by_row(once: Mapping[bytes, Outgoing]) -> dict[tuple[str, str], list[bytes]]:
    """The records of each row of the table, in order; {} where there is one text and so no table."""
    trees = defaultdict[tuple[str, str], list[bytes]](list)
    for value, record in once.items():
        trees[_row(record)].append(value)
    if len(trees) > MAX_ROWS:
        raise UsageError("error.touch_rows", count=len(trees), most=MAX_ROWS)
    return dict(sorted(trees.items())) if len(once) > 1 else {}


def _signed(record: Outgoing) -> bool:
    """True for a record that needs a person's signature: an act, a record of `reference`, the end of an erasure."""
    if record.topic != "suppressions":
        return record.topic in SIGNED
    stop = decode("suppressions", record.key, record.value)
    return bool(stop.kind == "erasure" and stop.state == "corrected")


def _row(record: Outgoing) -> tuple[str, str]:
    if record.topic != "acts":
        return "readmit" if record.topic == "suppressions" else "endorse", "-"
    return row_of(decode("acts", record.key, record.value).model_dump(mode="json"))


class PasskeySignatory:
    """A person who has touched a passkey for certain records, and signs no other. `made`: signatures by record."""

    def __init__(self, made: Mapping[bytes, bytes]) -> None:
        self._made = made

    def __or__(self, other: PasskeySignatory) -> PasskeySignatory:
        """The same person after both touches."""
        return PasskeySignatory({**self._made, **other._made})

    def sign(self, records: Sequence[Outgoing]) -> Signed:
        """The records with the person's signatures; raises UsageError (2) for a record that the touch did not cover."""
        signed, behind = list[Outgoing](), list[Outgoing]()
        for record in records:
            made = self._made.get(record.value)
            if made is None and record.topic in SIGNED:
                raise UsageError("error.passkey_refused")
            if record.topic == "reference" and made is not None:
                behind.append(self.endorsement(record))
                signed.append(record)
            else:
                header = ((signatures.HEADER, made),) if made is not None else ()
                signed.append(replace(record, headers=(*record.headers, *header)))
        return Signed(signed, behind)

    def endorsement(self, record: Outgoing) -> Outgoing:
        """The record `signature` for a record of `reference`, also for one that stands there already."""
        value = self._made[record.value]
        return Outgoing("reference", f"signature/{signatures.reference_id(value)}".encode(), value)
