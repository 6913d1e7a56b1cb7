"""Reads signed notes of C2SP: public keys, notes, and the checkpoints of a log."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ED25519, COSIGNATURE = 1, 4
"""Kinds of a key: of a log or a worker, and of a witness, whose signature holds its time."""
KEY_ID = re.compile(r"[A-Za-z0-9._-]{1,200}(/[a-z]+)?\+[0-9a-f]{8}")
"""Form of a key id that may be shown; anything else may be a forger's, or personal."""
MAX_TIME = 253_402_300_799
"""The last second of the year 9999; no witness signs later."""


@dataclass(frozen=True)
class Vkey:
    """A public key as C2SP notes write it: `NAME+HASH+BASE64`. `kind`: 1 of a log or a worker, 4 of a witness."""

    name: str
    hash: bytes
    kind: int
    public: bytes

    @property
    def kid(self) -> str:
        """The key id `NAME+HASH`, by which a manifest names its key."""
        return f"{self.name}+{self.hash.hex()}"

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Tells whether the 64 bytes are this key's signature of the message."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except InvalidSignature:
            return False
        return True


def parse_vkey(text: str) -> Vkey:
    """Reads `NAME+HASH+BASE64`; raises ValueError for other text, or if the hash is another key's."""
    name, hash_, encoded = text.strip().split("+", 2)
    raw = base64.b64decode(encoded, validate=True)
    if not name or len(raw) != 33 or raw[0] not in (ED25519, COSIGNATURE):
        raise ValueError("not a key of a kind that is known")
    expected = sha256(name.encode() + b"\n" + raw).digest()[:4]
    if hash_ != expected.hex():
        raise ValueError("the hash is another key's")
    return Vkey(name, expected, raw[0], raw[1:])


def of_another_log(witness: str, origin: str) -> bool:
    """Tells whether a witness's key is named for another log than this one (`ORIGIN/witness`).

    An outside witness has a name of another form, and may watch any log.
    """
    log, _, role = witness.rpartition("/")
    return role == "witness" and log != origin


@dataclass(frozen=True)
class Note:
    """A signed note: its text, and each signature's key name, key hash and bytes."""

    body: str
    signatures: tuple[tuple[str, bytes, bytes], ...]

    def signed(self, key: Vkey) -> bool | None:
        """Tells whether the key signed the note; None if no signature names this key."""
        signatures = self._of(key)
        return any(self._good(key, signature) for signature in signatures) if signatures else None

    def cosigned_at(self, key: Vkey) -> int:
        """The time of this witness's latest good cosignature, in seconds since the epoch."""
        return max(_time(signature) for signature in self._of(key) if self._good(key, signature))

    def _of(self, key: Vkey) -> list[bytes]:
        return [signature for name, hash_, signature in self.signatures if (name, hash_) == (key.name, key.hash)]

    def _good(self, key: Vkey, signature: bytes) -> bool:
        if key.kind != COSIGNATURE:
            return key.verifies(signature, self.body.encode())
        time = _time(signature)
        message = f"cosignature/v1\ntime {time}\n{self.body}".encode()
        return len(signature) == 72 and time <= MAX_TIME and key.verifies(signature[8:], message)


def _time(cosignature: bytes) -> int:
    return int.from_bytes(cosignature[:8], "big")


def open_note(text: str) -> Note:
    """Reads a signed note; raises ValueError for other text. `Note.signed` checks the signatures."""
    body, separator, lines = text.rpartition("\n\n")
    if not separator or not lines.endswith("\n"):
        raise ValueError("not a signed note")
    signatures = []
    for line in lines[:-1].split("\n"):
        dash, name, encoded = line.split(" ")
        raw = base64.b64decode(encoded, validate=True)
        if dash != "—" or not name or len(raw) < 5:
            raise ValueError("not a signature of a note")
        signatures.append((name, raw[:4], raw[4:]))
    return Note(body + "\n", tuple(signatures))


@dataclass(frozen=True)
class Checkpoint:
    """A log's statement of its state: name, number of leaves, and the root over them."""

    origin: str
    size: int
    root: bytes
    note: Note


def open_checkpoint(text: str) -> Checkpoint:
    """Reads a checkpoint; raises ValueError for other text."""
    note = open_note(text)
    origin, size, root, *_ = note.body.split("\n")
    if not origin or not re.fullmatch(r"0|[1-9][0-9]{0,15}", size):
        raise ValueError("not a checkpoint")
    raw = base64.b64decode(root, validate=True)
    if len(raw) != 32:
        raise ValueError("not a root")
    return Checkpoint(origin, int(size), raw, note)
