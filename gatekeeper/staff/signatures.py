"""Makes signatures: of an act, for its header, and of a record of `reference`, as the record behind it."""

from __future__ import annotations

from base64 import b64encode
from typing import Any, Protocol

from gatekeeper.staff.message import PERSON, act_subject, digest, message
from schemas.codec import canonical, encode
from schemas.events import Act, Suppression
from schemas.events.staff import ActSignature, Signature, SignatureFields, SignIn

HEADER = "gate-signature"
"""The header of a signed act; there is one for each signer."""


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


def of_act(
    act: Act, signer: PersonSigner, *, origin: str, at: str, blind: str, user: str = "", signin: SignIn | None = None
) -> tuple[str, bytes]:
    """The header that signs an act as `schemas.codec.encode` writes it.

    `origin`: the name of the log (`Settings.group`). `at`: now, an instant of UTC. `blind`: 16 random bytes in hex.
    `user`, `signin`: the person for whom the console signs, and how this person signed in.
    """
    value = encode(act)
    said = _said(str(act.act_id), value, signer, at=at, origin=origin, user=user, signin=signin, blind=blind)
    signed = _signed(said, signer, act_subject(act.model_dump(mode="json")))
    return HEADER, encode(ActSignature.model_validate({**signed, "blind": blind}))


def of_correction(stop: Suppression, signer: PersonSigner, *, origin: str, at: str, blind: str) -> tuple[str, bytes]:
    """The header by which a manager signs the correction of an erasure, without which it frees nobody.

    The arguments are those of `of_act`; the signature stands beside the suppression, under its id.
    """
    said = _said(stop.suppression_id, encode(stop), signer, at=at, origin=origin, user="", signin=None, blind=blind)
    signed = _signed(said, signer, f"readmit/{PERSON}")
    return HEADER, encode(ActSignature.model_validate({**signed, "blind": blind}))


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
    """The record `signature` for a record of `reference`; its key is `signature/` and `id_`.

    `of`: kind/id of the record. `value`: its exact bytes. `id_`: a random id. The others as for `of_act`.
    """
    said = _said(id_, value, signer, at=at, origin=origin, user=user, signin=signin)
    signed = _signed(said, signer, of)
    return encode(Signature.model_validate({**signed, "kind": "signature", "of": of}))


def of_choice(value: bytes, signer: PersonSigner, *, subject: str, origin: str, at: str, id_: str) -> bytes:
    """The signature of a person who chooses a branch, as canonical JSON.

    `value`: the exact bytes of the choice. `subject`: the result of `statement_subject`. The others as for `of_act`.
    """
    said = _said(id_, value, signer, at=at, origin=origin, user="", signin=None)
    signed = SignatureFields.model_validate(_signed(said, signer, subject))
    return canonical(signed.model_dump(mode="json", exclude_none=True))


def header(signed: ActSignature) -> bytes:
    """The value of the header of a signature that was made elsewhere, such as by a passkey."""
    return canonical(signed.model_dump(mode="json", exclude_none=True))


def _said(
    id_: str,
    value: bytes,
    signer: PersonSigner,
    *,
    at: str,
    origin: str,
    user: str,
    signin: SignIn | None,
    blind: str = "",
) -> dict[str, Any]:
    said = {"v": 1, "id": id_, "sha256": digest(value, blind), "at": at, "origin": origin, "key": signer.key}
    if signin is None:
        return {**said, "by": signer.by, "method": "key"}
    return {**said, "by": user, "method": "vouched", "console": signer.by, "signin": signin}


def _signed(said: dict[str, Any], signer: PersonSigner, subject: str) -> dict[str, Any]:
    signature = signer.sign(message(said, origin=said["origin"], subject=subject))
    return {**said, "sig": b64encode(signature).decode()}
