"""One touch of a passkey, which signs all records of an act at once: asked first, then made into signatures."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from gatekeeper.audit.tlog.merkle import leaf_hash, root_of
from gatekeeper.audit.tlog.proofs import inclusion_proofs
from gatekeeper.errors import UsageError
from gatekeeper.staff import signatures
from gatekeeper.staff.message import tree_message
from gatekeeper.staff.signature_check import challenge, proven
from gatekeeper.staff.signatures import Draft
from schemas.codec import decode
from streams.client.outgoing import Outgoing
from streams.client.signatory import BLIND_BYTES, SIGNED, Signed


class Touch:
    """The records that one touch of a passkey signs.

    A record that several partitions hold has one signature. The touch is good for 10 minutes from now.
    `by`: the person. `key`: fields of `schemas.events.staff.StaffKey`, of a passkey. `origin`: the name of the log.
    """

    def __init__(self, records: Sequence[Outgoing], *, by: str, key: Mapping[str, Any], origin: str) -> None:
        self._key, self._who, self._origin = key, signatures.passkey_holder(by, key["id"]), origin
        self._at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        found = {record.value: self._draft(record) for record in records}
        self._drafts: dict[bytes, Draft] = {value: draft for value, draft in found.items() if draft is not None}
        self._texts = [draft.text for draft in self._drafts.values()]

    @property
    def challenge(self) -> bytes:
        """The challenge for the passkey: SHA-256 of the one text, or of the text of their tree."""
        if len(self._texts) == 1:
            return challenge(self._texts[0])
        return challenge(tree_message(len(self._texts), root_of([leaf_hash(text) for text in self._texts])))

    def signatory(self, assertion: Mapping[str, str]) -> TouchedSignatory:
        """The signatory of these records, once the person has touched the passkey.

        `assertion`: `sig`, `authenticator` and `client` in base64. Raises UsageError (2) unless it is this passkey's,
        over this challenge, on a page of this console. The user must be verified.
        """
        proofs = [{"method": "passkey", **assertion} for _ in self._texts]
        if len(proofs) > 1:
            paths = inclusion_proofs([leaf_hash(text) for text in self._texts])
            for index, path in enumerate(paths):
                place = {"index": index, "size": len(paths), "path": tuple(step.hex() for step in path)}
                proofs[index] = {**proofs[index], "tree": place}  # type: ignore[dict-item]
        if not proven(proofs[0], self._key, self._texts[0]):
            raise UsageError("error.passkey_refused")
        made = {value: draft.made(proof) for (value, draft), proof in zip(self._drafts.items(), proofs, strict=True)}
        return TouchedSignatory(made)

    def _draft(self, record: Outgoing) -> Draft | None:
        blind = secrets.token_hex(BLIND_BYTES)
        if record.topic == "acts":
            act = decode("acts", record.key, record.value)
            return signatures.act_draft(act, self._who, origin=self._origin, at=self._at, blind=blind)
        if record.topic == "reference":
            name, id_ = (record.key or b"").decode(), uuid4().hex
            return signatures.reference_draft(name, record.value, self._who, origin=self._origin, at=self._at, id_=id_)
        stop = decode("suppressions", record.key, record.value) if record.topic == "suppressions" else None
        if stop is not None and stop.kind == "erasure" and stop.state == "corrected":
            return signatures.correction_draft(stop, self._who, origin=self._origin, at=self._at, blind=blind)
        return None


class TouchedSignatory:
    """A person who has touched a passkey for certain records, and signs no other. `made`: signatures by record."""

    def __init__(self, made: Mapping[bytes, bytes]) -> None:
        self._made = made

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
