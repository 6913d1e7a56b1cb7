"""Checks one signature with one public key: Ed25519 of a person or the console, or a passkey (WebAuthn)."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from gatekeeper.audit.tlog.merkle import leaf_hash, root_from_inclusion
from gatekeeper.staff.message import own_row, table_message, tree_message

PRESENT_AND_VERIFIED = 0x05
"""Flags of authenticatorData: the user was present (1), and was verified (4)."""
_KEY_OF = {"key": "key", "passkey": "passkey", "vouched": "console"}
"""The method of the key that a signature of each method needs."""


def proven(said: Mapping[str, Any], key: Mapping[str, Any], message: bytes) -> bool:
    """Tells whether the signature is this key's signature of the message. Never raises.

    `said`: fields of `schemas.events.staff.SignatureFields`. `key`: fields of `schemas.events.staff.StaffKey`. For a
    passkey as WebAuthn level 2, 7.2, asks: type, challenge, origin, relying party, presence, verification. With `table`
    it signed a table whose rows each name the root of a Merkle tree (RFC 6962). This message is in the tree of its row.
    `tree`: the same up to release 0.3.0, without rows; callers say where it counts.
    """
    try:
        if _KEY_OF[said["method"]] != key["method"]:
            return False
        signature = base64.b64decode(said["sig"], validate=True)
        if key["method"] != "passkey":
            return _verified(key["public"], signature, message)
        authenticator, client = (base64.b64decode(said[name], validate=True) for name in ("authenticator", "client"))
        signed = _whole(message, said)
        fits = _of_this_page(client, key["rp"], signed) and _by_the_user(authenticator, key["rp"])
        return fits and _verified(key["public"], signature, authenticator + sha256(client).digest(), passkey=True)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, UnsupportedAlgorithm):
        return False


def marks(key: Mapping[str, Any]) -> frozenset[bytes]:
    """The marks by which a key is known under any id: the public key, and the credential of a passkey.

    Another spelling of the same key, in base64 or in DER, has the same marks. `key`: as for `proven`. Never raises.
    """
    key_marks = {b"key " + _same(key["public"])}
    if credential := key.get("credential"):
        key_marks.add(b"credential " + _decoded(credential))
    return frozenset(key_marks)


def challenge(message: bytes) -> bytes:
    """The challenge that a passkey signs for a message."""
    return sha256(message).digest()


def _whole(message: bytes, said: Mapping[str, Any]) -> bytes:
    """The text that was signed for a message; raises ValueError where the message has no place in it."""
    if table := said.get("table"):
        row = own_row(table)
        if _root(message, table, row["count"]).hex() != row["root"]:
            raise ValueError("the message is not of this row")
        return table_message(table["rows"])
    if tree := said.get("tree"):
        return tree_message(tree["size"], _root(message, tree, tree["size"]))
    return message


def _root(message: bytes, place: Mapping[str, Any], size: int) -> bytes:
    path = [bytes.fromhex(digest) for digest in place["path"]]
    root = root_from_inclusion(leaf_hash(message), place["index"], size, path)
    if root is None:
        raise ValueError("the path leads to no root")
    return root


def _of_this_page(client: bytes, party: Mapping[str, Any], message: bytes) -> bool:
    data = json.loads(client)
    asked = base64.urlsafe_b64encode(challenge(message)).rstrip(b"=").decode()
    page = data["origin"] in party["origins"] and not data.get("crossOrigin")
    return bool(data["type"] == "webauthn.get" and data["challenge"] == asked and page)


def _by_the_user(authenticator: bytes, party: Mapping[str, Any]) -> bool:
    if len(authenticator) < 37 or authenticator[:32] != sha256(party["id"].encode()).digest():
        return False
    return authenticator[32] & PRESENT_AND_VERIFIED == PRESENT_AND_VERIFIED


def _verified(public: str, signature: bytes, signed: bytes, *, passkey: bool = False) -> bool:
    key = _loaded(public)
    try:
        if isinstance(key, Ed25519PublicKey):
            key.verify(signature, signed)
            return True
        if passkey and isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1):
            key.verify(signature, signed, ECDSA(SHA256()))
            return True
    except InvalidSignature:
        pass
    return False


def _same(public: str) -> bytes:
    """The one spelling of a public key; the given bytes if nobody can load it, as it then proves nothing."""
    try:
        spelled: bytes = _loaded(public).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, TypeError, AttributeError, UnsupportedAlgorithm):
        return _decoded(public)
    return spelled


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text)
    except (ValueError, TypeError):
        return str(text).encode()


@lru_cache(maxsize=1024)
def _loaded(public: str) -> Any:
    return load_der_public_key(base64.b64decode(public, validate=True))
