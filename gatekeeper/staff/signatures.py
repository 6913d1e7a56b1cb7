"""Makes signatures: of an act, for its header, and of a record of `reference`, as the record behind it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from gatekeeper.staff.message import CORRECT, PERSON, act_subject, digest, message
from schemas.codec import canonical, encode
from schemas.events import Act, PersonEvent, Suppression
from schemas.events.staff import ActSignature, Signature, SignatureFields, SignIn

HEADER = "gate-signature"
"""The header of a signed act; there is one for each signer."""
Actor = Mapping[str, str]
"""The fields of a signature that say who signs, with which key, and how."""


class PersonSigner(Protocol):
    """Somebody who signs with an Ed25519 key: a person, or the console for a person.

    `by`: the holder's id in `staff`. `key`: the id of the key there.
    """

    @property
    def by(self) -> str:
        """The holder's id in `staff`."""

    @property
    def key(self) -> str:
        """The id of the key."""

    def sign(self, message: bytes) -> bytes:
        """The 64 bytes of the signature."""


class Draft(NamedTuple):
    """A signature before it is made: its fields so far, and what it is about.

    `subject`: as for `message`. `of`: KIND/ID of the record of `reference` that it is about, None for an act.
    """

    said: Mapping[str, Any]
    subject: str
    of: str | None = None

    @property
    def text(self) -> bytes:
        """The bytes to sign."""
        return message(self.said, origin=self.said["origin"], subject=self.subject)

    def made(self, proof: Mapping[str, Any]) -> bytes:
        """The header's value of an act, else the record `signature`. `proof`: `sig`, and what its method adds."""
        fields = {**self.said, **proof}
        if self.of is None:
            return encode(ActSignature.model_validate(fields))
        return encode(Signature.model_validate({**fields, "kind": "signature", "of": self.of}))

    def made_by(self, signer: PersonSigner) -> bytes:
        """The same, with an Ed25519 key."""
        return self.made(self.proof_by(signer))

    def proof_by(self, signer: PersonSigner) -> dict[str, str]:
        """The proof of an Ed25519 key."""
        return {"sig": b64encode(signer.sign(self.text)).decode()}


def act_draft(act: Act, actor: Actor, *, origin: str, at: str, blind: str) -> Draft:
    """The draft of a signature of an act as `schemas.codec.encode` writes it.

    `origin`: the name of the log (`Settings.group`). `at`: now, an instant of UTC. `blind`: 16 random bytes in hex.
    """
    fields = _said(act.act_id, encode(act), actor, origin=origin, at=at, blind=blind)
    return Draft({**fields, "blind": blind}, act_subject(act.model_dump(mode="json")))


def correction_draft(event: Suppression | PersonEvent, actor: Actor, *, origin: str, at: str, blind: str) -> Draft:
    """The draft by which somebody signs what takes a no away, without which it frees nobody.

    The arguments are those of `act_draft`; the signature stands beside the event, under its id. That of an erasure's
    correction has the form of an act `readmit`.
    """
    id_ = event.suppression_id if isinstance(event, Suppression) else str(event.record_id)
    fields = _said(id_, encode(event), actor, origin=origin, at=at, blind=blind)
    return Draft({**fields, "blind": blind}, f"{'readmit' if event.kind == 'erasure' else CORRECT}/{PERSON}")


def reference_draft(of: str, value: bytes, actor: Actor, *, origin: str, at: str, id_: str) -> Draft:
    """The draft of the record `signature` for a record of `reference`; its key is `signature/` and `id_`.

    `of`: kind/id of the record. `value`: its exact bytes. `id_`: a random id. The others as for `act_draft`.
    """
    return Draft(_said(id_, value, actor, origin=origin, at=at), of, of)


def passkey_holder(by: str, key: str) -> Actor:
    """The fields of who signs with a passkey; `key`: its id in `staff`."""
    return {"by": by, "key": key, "method": "passkey"}


def holder(signer: PersonSigner, user: str = "", signin: SignIn | None = None) -> Actor:
    """The fields of who signs with an Ed25519 key.

    `user`, `signin`: the person for whom the console signs, and how this person signed in.
    """
    if signin is None:
        return {"by": signer.by, "key": signer.key, "method": "key"}
    return {"by": user, "key": signer.key, "method": "vouched", "console": signer.by, "signin": signin}


def of_act(
    act: Act, signer: PersonSigner, *, origin: str, at: str, blind: str, user: str = "", signin: SignIn | None = None
) -> tuple[str, bytes]:
    """The header that signs an act; arguments as for `act_draft` and `holder`."""
    actor = holder(signer, user, signin)
    return HEADER, act_draft(act, actor, origin=origin, at=at, blind=blind).made_by(signer)


def of_correction(
    event: Suppression | PersonEvent,
    signer: PersonSigner,
    *,
    origin: str,
    at: str,
    blind: str,
    user: str = "",
    signin: SignIn | None = None,
) -> tuple[str, bytes]:
    """The header that signs what takes a no away; arguments as for `correction_draft` and `holder`."""
    actor = holder(signer, user, signin)
    return HEADER, correction_draft(event, actor, origin=origin, at=at, blind=blind).made_by(signer)


def of_reference(
    of: str,
    value: bytes,
    signer: PersonSigner,
    *,
    origin: str,
    at: str,
    id_: str,
    user: str = "",
    signin: SignIn | None = None,
) -> bytes:
    """The record `signature` for a record of `reference`; arguments as for `reference_draft` and `holder`."""
    actor = holder(signer, user, signin)
    return reference_draft(of, value, actor, origin=origin, at=at, id_=id_).made_by(signer)


def of_choice(value: bytes, signer: PersonSigner, *, subject: str, origin: str, at: str, id_: str) -> bytes:
    """The signature of a person who chooses a branch, as canonical JSON.

    `value`: the exact bytes of the choice. `subject`: the result of `statement_subject`. The others as for `of_act`.
    """
    draft = Draft(_said(id_, value, holder(signer), origin=origin, at=at), subject)
    signed = SignatureFields.model_validate({**draft.said, **draft.proof_by(signer)})
    return canonical(signed.model_dump(mode="json", exclude_none=True))


def reference_id(value: bytes) -> str:
    """The id of a `signature` in the bytes of its record."""
    return str(Signature.model_validate_json(value).id)


def _said(id_: str, value: bytes, actor: Actor, *, origin: str, at: str, blind: str = "") -> dict[str, Any]:
    return {"v": 1, "id": id_, "sha256": digest(value, blind), "at": at, "origin": origin, **actor}
