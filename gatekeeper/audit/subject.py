"""Whom a record is about, said so that nobody can tell without two secrets, of which one can be destroyed.

Each person has a random salt in the partition's ledger, made when the first record about them is written. The
person's key is HMAC-SHA256(master key, salt): whoever has the log alone, or the master key alone, knows nobody.
Erasure puts a mark in the salt's place; from then on what was made with it is noise (audit.md §6).
"""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Callable, Mapping
from hashlib import sha256

from gatekeeper import entries
from gatekeeper.entries import SALT_BYTES, Entry
from gatekeeper.memory import Memory

_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))
_KEY_BYTES = 32
_INNER_REST, _OUTER_REST = bytes(_KEY_BYTES).translate(_INNER), bytes(_KEY_BYTES).translate(_OUTER)
"""What fills a key up to a block of SHA-256."""

# HMAC-SHA256 (RFC 2104) twice over, as every record has three: `hmac.digest` looks its hash up at each call, which
# takes longer than to hash. A master key's blocks are hashed once for all; a person's are used twice, not worth it.


class Master:
    """HMAC-SHA256 under a master key of 32 bytes: makes people's own keys of their salts."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes) -> None:
        inner, outer = _blocks(key)
        self._inner, self._outer = sha256(inner), sha256(outer)

    def of(self, salt: bytes) -> bytes:
        """Returns the 32 bytes of the key of whoever has this salt."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(salt)
        outer.update(inner.digest())
        return outer.digest()


class Subject:
    """A person whom records may name, by the key that is theirs alone."""

    __slots__ = ("_key", "_owner")

    def __init__(self, key: bytes, owner: bytes) -> None:
        """`owner`: the bytes of the recipient id."""
        self._key, self._owner = key, owner

    def names(self, raw: bytes | None) -> tuple[str, str | None]:
        """Returns `subj`, the person's pseudonym, and `in_mac`, what proves an input's bytes without holding them.

        `raw`: those bytes, None where they are not at hand; nor is their proof.
        """
        inner, outer = _blocks(self._key)
        person = b2a_base64(sha256(outer + sha256(inner + self._owner).digest()).digest())
        subj = "s1_" + person.translate(_URL_SAFE, b"=\n").decode()
        return subj, None if raw is None else sha256(outer + sha256(inner + raw).digest()).hexdigest()


class Subjects:
    """Names people under the master keys, by their numbers; `chance` gives so many random bytes for a new salt."""

    def __init__(self, masters: Mapping[int, bytes], chance: Callable[[int], bytes]) -> None:
        self._masters = {b"%d" % number: Master(key) for number, key in masters.items()}
        self._newest = max(masters)
        self._chance = chance

    def of(self, recipient_id: str, memory: Memory) -> tuple[Subject | None, tuple[Entry, ...]]:
        """Returns a person's name in records, and the entry of the salt where that is new.

        None for a person who was erased, of whom no record may say more. Raises KeyError where the salt's master key
        is not among ours.
        """
        owner = recipient_id.encode()
        if kept := memory.salt(owner):
            return Subject(self._masters[kept[SALT_BYTES:]].of(kept[:SALT_BYTES]), owner), ()
        if memory.erased_at(recipient_id) is not None:
            return None, ()
        salt = self._chance(SALT_BYTES)
        found = Subject(self._masters[b"%d" % self._newest].of(salt), owner)
        return found, (entries.salt(recipient_id, self._newest, salt),)


def _blocks(key: bytes) -> tuple[bytes, bytes]:
    """Returns the blocks that the inner and the outer hash begin with."""
    if len(key) != _KEY_BYTES:
        raise ValueError("a key has 32 bytes")
    return key.translate(_INNER) + _INNER_REST, key.translate(_OUTER) + _OUTER_REST
