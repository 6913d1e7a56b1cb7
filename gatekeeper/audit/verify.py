"""The checks of trees, notes and checkpoints, with nothing but the standard library and `cryptography`.

Tree hashes are those of RFC 6962, the log's files those of C2SP tlog-tiles, and the checkpoint a C2SP signed note.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

TILE = 256
ED25519, COSIGNATURE = 1, 4

# -- trees ------------------------------------------------------------------------------------------------------


def leaf_hash(leaf: bytes) -> bytes:
    """Returns the hash of a leaf: SHA-256 of 0x00 and its bytes."""
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Returns the hash of a node: SHA-256 of 0x01 and those of its two halves."""
    return sha256(b"\x01" + left + right).digest()


def root_of(hashes: Sequence[bytes]) -> bytes:
    """Returns the root over leaf hashes in order; SHA-256 of nothing for none.

    A last node without partner goes up as it is, which is the RFC's split at the largest power of two.
    """
    level = list(hashes)
    if not level:
        return sha256().digest()
    while len(level) > 1:
        odd = level[-1:] if len(level) % 2 else []
        pairs = zip(level[::2], level[1::2], strict=False)
        level = [sha256(b"\x01" + left + right).digest() for left, right in pairs] + odd
    return level[0]


def inclusion_proof(hashes: Sequence[bytes], index: int) -> list[bytes]:
    """Returns what leads from the leaf at `index` to the root over all `hashes` (RFC 6962, 2.1.1): leaf's end first."""
    found, level = [], list(hashes)
    while len(level) > 1:
        if index ^ 1 < len(level):
            found.append(level[index ^ 1])
        odd = level[-1:] if len(level) % 2 else []
        level = [node_hash(*pair) for pair in zip(level[::2], level[1::2], strict=False)] + odd
        index >>= 1
    return found


def root_from_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes | None:
    """Returns the root that a proof leads to from a leaf's hash; None where no tree of that size has such a proof."""
    if not 0 <= index < size:
        return None
    found, last, left = leaf, size - 1, list(proof)
    while last:
        if index & 1 or index < last:
            if not left:
                return None
            other = left.pop(0)
            found = node_hash(other, found) if index & 1 else node_hash(found, other)
        index, last = index >> 1, last >> 1
    return None if left else found


def check_consistency(size: int, root: bytes, later: int, later_root: bytes, proof: Sequence[bytes]) -> bool:
    """Tells whether a proof shows that the tree of `later` leaves begins with that of `size` leaves (RFC 9162)."""
    if not 0 <= size <= later:
        return False
    if size in (0, later):
        return not proof and (size == 0 or root == later_root)
    left = list(proof)
    node, last = size - 1, later - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    if node and not left:
        return False
    old = new = left.pop(0) if node else root
    while last:
        if node & 1 or node < last:
            if not left:
                return False
            other = left.pop(0)
            if node & 1:
                old, new = node_hash(other, old), node_hash(other, new)
            else:
                new = node_hash(new, other)
        node, last = node >> 1, last >> 1
    return not left and old == root and new == later_root


# -- keys and notes ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Vkey:
    """A public key as C2SP notes write it: `NAME+HASH+BASE64`. `kind`: 1 of a log or a worker, 4 of a witness."""

    name: str
    hash: bytes
    kind: int
    public: bytes

    @property
    def kid(self) -> str:
        """`NAME+HASH`, which a manifest names its key by."""
        return f"{self.name}+{self.hash.hex()}"

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Tells whether the 64 bytes are this key's signature of the message."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except InvalidSignature:
            return False
        return True


def parse_vkey(text: str) -> Vkey:
    """Reads `NAME+HASH+BASE64`; raises ValueError where it is none, or its hash is another key's."""
    name, hash_, encoded = text.strip().split("+", 2)
    raw = base64.b64decode(encoded, validate=True)
    if not name or len(raw) != 33 or raw[0] not in (ED25519, COSIGNATURE):
        raise ValueError("not a key of a kind that is known")
    expected = sha256(name.encode() + b"\n" + raw).digest()[:4]
    if hash_ != expected.hex():
        raise ValueError("the hash is another key's")
    return Vkey(name, expected, raw[0], raw[1:])


@dataclass(frozen=True)
class Note:
    """A signed note: its text, and each signature's key name, key hash and bytes."""

    body: str
    signatures: tuple[tuple[str, bytes, bytes], ...]

    def signed(self, key: Vkey) -> bool | None:
        """Tells whether the key signed it; None where no signature calls itself that key's."""
        found = [signature for name, hash_, signature in self.signatures if (name, hash_) == (key.name, key.hash)]
        if not found:
            return None
        if key.kind == COSIGNATURE:
            return any(
                len(one) == 72 and key.verifies(one[8:], f"cosignature/v1\ntime {_time(one)}\n{self.body}".encode())
                for one in found
            )
        return any(key.verifies(one, self.body.encode()) for one in found)

    def cosigned_at(self, key: Vkey) -> int:
        """Returns when that witness saw it, in seconds since the epoch, of the latest good cosignature."""
        ours = [one for one in self.signatures if (one[0], one[1]) == (key.name, key.hash)]
        return max(_time(one[2]) for one in ours if Note(self.body, (one,)).signed(key))


def open_note(text: str) -> Note:
    """Reads a signed note; raises ValueError where it is none. Whether it is signed well is for `Note.signed`."""
    body, separator, lines = text.rpartition("\n\n")
    if not separator or not lines.endswith("\n"):
        raise ValueError("not a signed note")
    found = []
    for line in lines[:-1].split("\n"):
        dash, name, encoded = line.split(" ")
        raw = base64.b64decode(encoded, validate=True)
        if dash != "—" or not name or len(raw) < 5:
            raise ValueError("not a signature of a note")
        found.append((name, raw[:4], raw[4:]))
    return Note(body + "\n", tuple(found))


@dataclass(frozen=True)
class Checkpoint:
    """What a log says of itself: its name, how many leaves it has, and the root over them."""

    origin: str
    size: int
    root: bytes
    note: Note


def open_checkpoint(text: str) -> Checkpoint:
    """Reads a checkpoint; raises ValueError where it is none."""
    note = open_note(text)
    origin, size, root, *_ = note.body.split("\n")
    if not origin or not re.fullmatch(r"0|[1-9][0-9]{0,15}", size):
        raise ValueError("not a checkpoint")
    raw = base64.b64decode(root, validate=True)
    if len(raw) != 32:
        raise ValueError("not a root")
    return Checkpoint(origin, int(size), raw, note)


def _time(cosignature: bytes) -> int:
    return int.from_bytes(cosignature[:8], "big")


# -- tiles ------------------------------------------------------------------------------------------------------


def tile_name(number: int) -> str:
    """Returns a tile's number as its path: 1234067 is `x001/x234/067`."""
    digits = str(number)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    *high, low = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    return "".join(f"x{part}/" for part in high) + low
