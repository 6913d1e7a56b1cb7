"""Signed notes as C2SP writes them: checkpoints of a log, signed by it and cosigned by witnesses.

A note is its text, an empty line, and a line `— NAME BASE64(hash ‖ signature)` a signature. The text of a checkpoint
is the log's origin, the number of its leaves and the root over them, a line each. A witness signs the time with it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ED25519, COSIGNATURE = 1, 4
_SEPARATOR = "\n\n"


class NoteError(ValueError):
    """What is no note, no checkpoint or no public key, or is signed by nobody who is known."""


class Signing(Protocol):
    """A key that signs, as `gatekeeper.keys.Signer` is."""

    @property
    def name(self) -> str:
        """What a signature calls itself by."""

    @property
    def hash(self) -> bytes:
        """Four bytes that stand for name, kind and key."""

    def sign(self, message: bytes) -> bytes:
        """Returns the 64 bytes of a signature."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """A public key by its name, hash (4 bytes), kind (ED25519 or COSIGNATURE) and 32 bytes."""

    name: str
    hash: bytes
    kind: int
    public: bytes

    @classmethod
    def read(cls, text: str) -> Verifier:
        """Reads `NAME+HASH+BASE64`; raises NoteError for what is none."""
        name, _, rest = text.partition("+")
        hash_, _, key = rest.partition("+")
        try:
            raw, found = base64.b64decode(key, validate=True), bytes.fromhex(hash_)
        except (binascii.Error, ValueError):
            raise NoteError("no public key") from None
        if not name or len(raw) != 33 or raw[0] not in (ED25519, COSIGNATURE):
            raise NoteError("no public key")
        if sha256(name.encode() + b"\n" + raw).digest()[:4] != found:
            raise NoteError("the hash of a public key is not its own")
        return cls(name, found, raw[0], raw[1:])

    def verifies(self, message: bytes, signature: bytes) -> bool:
        """Returns whether this key made the signature (64 bytes) of the message."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature of a note that was found right: whose, and when (seconds since the epoch) where it tells."""

    verifier: Verifier
    time: int | None = None


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of a log: its origin, how many leaves it has, and the 32 bytes of the root over them."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The text that is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    @classmethod
    def read(cls, text: str) -> Checkpoint:
        """Reads the text of a note, which may hold more lines; raises NoteError for what is no checkpoint."""
        try:
            origin, size, root, *_ = text.split("\n")
            found = cls(origin, int(size), base64.b64decode(root, validate=True))
        except (binascii.Error, ValueError):
            raise NoteError("no checkpoint") from None
        if not origin or size != str(found.size) or found.size < 0 or len(found.root) != 32:
            raise NoteError("no checkpoint")
        return found


def signed(text: str, signer: Signing) -> str:
    """Returns a note: the text, and the signer's line."""
    return f"{text}\n{_line(signer, signer.sign(text.encode()))}"


def cosignature(text: str, signer: Signing, *, time: int) -> str:
    """Returns the line by which a witness says that it has seen the text at this time, in seconds since the epoch."""
    return _line(signer, time.to_bytes(8, "big") + signer.sign(_timed(text, time)))


def parted(note: str) -> tuple[str, list[str]]:
    """Returns the text of a note and its signature lines; raises NoteError for what is no note."""
    text, separator, lines = note.rpartition(_SEPARATOR)
    found = lines.splitlines(keepends=True)
    if not separator or not found or not all(line.startswith("— ") and line.endswith("\n") for line in found):
        raise NoteError("no note")
    return text + "\n", found


def opened(note: str, verifiers: Iterable[Verifier]) -> tuple[str, list[Signature]]:
    """Returns the text of a note, and the signatures of it by the keys that are known: at least one.

    Signatures by others are left aside. Raises NoteError where there is no other, or one of a known key is wrong.
    """
    text, lines = parted(note)
    known = {(verifier.name, verifier.hash): verifier for verifier in verifiers}
    found = []
    for line in lines:
        name, hash_, payload = said(line)
        if verifier := known.get((name, hash_)):
            found.append(_checked(text, verifier, payload))
    if not found:
        raise NoteError("signed by no key that is known")
    return text, found


def said(line: str) -> tuple[str, bytes, bytes]:
    """Returns what a signature line says: the key's name, its hash, and the rest; raises NoteError for what is none."""
    name, _, payload = line.removeprefix("— ").rstrip("\n").partition(" ")
    try:
        raw = base64.b64decode(payload, validate=True)
    except binascii.Error:
        raise NoteError("no signature") from None
    return name, raw[:4], raw[4:]


def _checked(text: str, verifier: Verifier, raw: bytes) -> Signature:
    if verifier.kind == ED25519:
        right, time = verifier.verifies(text.encode(), raw), None
    else:
        time = int.from_bytes(raw[:8], "big")
        right = verifier.verifies(_timed(text, time), raw[8:])
    if not right:
        raise NoteError("a signature is wrong")
    return Signature(verifier, time)


def _timed(text: str, time: int) -> bytes:
    return f"cosignature/v1\ntime {time}\n{text}".encode()


def _line(signer: Signing, payload: bytes) -> str:
    return f"— {signer.name} {base64.b64encode(signer.hash + payload).decode()}\n"
