"""A key that signs: Ed25519 in the form of C2SP signed notes, `NAME+HASH+BASE64`."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ED25519, COSIGNATURE = b"\x01", b"\x04"
"""Kinds of signature in a note: of a log or a worker, and of a witness, which holds its time."""
_SECRET = "PRIVATE+KEY+"  # noqa: S105 - how C2SP begins a signing key, not one


@dataclass(frozen=True)
class SigningKey:
    """An Ed25519 key that signs. `kid` is `NAME+HASH`, the name of the key in a signature."""

    name: str
    kind: bytes
    private: Ed25519PrivateKey = field(repr=False)

    @cached_property
    def public(self) -> bytes:
        """The 32 bytes of the public key."""
        return self.private.public_key().public_bytes_raw()

    @cached_property
    def kid(self) -> str:
        """Name and hash: `NAME+HASH`, the hash being 8 hex digits."""
        return f"{self.name}+{self.hash.hex()}"

    @property
    def hash(self) -> bytes:
        """Four bytes that identify name, kind and key (C2SP signed-note)."""
        return sha256(self.name.encode() + b"\n" + self.kind + self.public).digest()[:4]

    @property
    def verifier(self) -> str:
        """The public key with which others check a signature: `NAME+HASH+BASE64`."""
        return f"{self.kid}+{base64.b64encode(self.kind + self.public).decode()}"

    def sign(self, message: bytes) -> bytes:
        """The 64 bytes of the signature."""
        return self.private.sign(message)


def secret_text(signer: SigningKey) -> str:
    """The text of a signing key's file (C2SP): `PRIVATE+KEY+NAME+HASH+BASE64`."""
    seed = base64.b64encode(ED25519 + signer.private.private_bytes_raw()).decode()
    return f"{_SECRET}{signer.kid}+{seed}"


def read_signing_key(text: str) -> SigningKey | None:
    """The signing key in the text of its file, None for other text."""
    name, _, rest = text.removeprefix(_SECRET).partition("+")
    hash_, _, seed = rest.partition("+")
    try:
        raw = base64.b64decode(seed, validate=True)
        private = Ed25519PrivateKey.from_private_bytes(raw[1:])
    except ValueError:
        return None
    for kind in (ED25519, COSIGNATURE):  # the hash covers the public key's kind, and so tells which kind it is
        signer = SigningKey(name, kind, private)
        if signer.hash.hex() == hash_ and raw[:1] == ED25519:
            return signer
    return None
