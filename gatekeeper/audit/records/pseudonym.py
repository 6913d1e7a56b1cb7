"""Whom a record is about, said so that nobody can tell without two secrets, of which one can be destroyed.

Each person has a random salt in the partition's ledger, made when the first record about them is written. The
person's key is HMAC-SHA256(master key, salt): whoever has the log alone, or the master key alone, knows nobody.
Erasure puts a mark in the salt's place; from then on what was made with it is noise (audit.md §6).
"""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import TYPE_CHECKING

from gatekeeper.ledger import entries
from gatekeeper.ledger.entries import SALT_BYTES, Entry
from gatekeeper.ledger.memory import Memory

if TYPE_CHECKING:
    from _hashlib import HASH

_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))
_KEY_BYTES = 32
_INNER_REST, _OUTER_REST = bytes(_KEY_BYTES).translate(_INNER), bytes(_KEY_BYTES).translate(_OUTER)
"""What fills a key up to a block of SHA-256."""

_EMPTY = sha256()

# HMAC-SHA256 (RFC 2104) here, as every record has three: `hmac.digest` looks its hash up at each call, which takes
# longer than to hash, as a new `sha256()` does; a copy of a begun one need not.


class Master:
    """HMAC-SHA256 under a master key of 32 bytes: makes people's own keys of their salts."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes) -> None:
        self._inner, self._outer = _begun(key)

    def of(self, salt: bytes) -> bytes:
        """The 32 bytes of the key of whoever has this salt."""
        return _ended(self._inner.copy(), self._outer.copy(), salt).digest()


class Subject:
    """A person whom records may name, by the key that is theirs alone."""

    __slots__ = ("_key", "_owner")

    def __init__(self, key: bytes, owner: bytes) -> None:
        """`owner`: the bytes of the recipient id."""
        self._key, self._owner = key, owner

    def names(self, raw: bytes | None) -> tuple[str, str | None]:
        """`subj`, the person's pseudonym, and `in_mac`, what proves an input's bytes without holding them.

        `raw`: those bytes, None where they are not at hand; nor is their proof.
        """
        inner, outer = _begun(self._key)
        person = b2a_base64(_ended(inner.copy(), outer.copy(), self._owner).digest())
        subj = "s1_" + person.translate(_URL_SAFE, b"=\n").decode()
        return subj, None if raw is None else _ended(inner, outer, raw).hexdigest()


class Subjects:
    """Names people under the master keys, by their numbers; `chance` gives so many random bytes for a new salt."""

    def __init__(self, masters: Mapping[int, bytes], chance: Callable[[int], bytes]) -> None:
        self._masters = {b"%d" % number: Master(key) for number, key in masters.items()}
        self._newest = max(masters)
        self._chance = chance

    def of(self, recipient_id: str, memory: Memory) -> tuple[Subject | None, tuple[Entry, ...]]:
        """A person's name in records, and the entry of the salt where that is new.

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


def _begun(key: bytes) -> tuple[HASH, HASH]:
    """The inner and the outer hash, each begun with its block of the key."""
    if len(key) != _KEY_BYTES:
        raise ValueError("a key has 32 bytes")
    inner, outer = _EMPTY.copy(), _EMPTY.copy()
    inner.update(key.translate(_INNER) + _INNER_REST)
    outer.update(key.translate(_OUTER) + _OUTER_REST)
    return inner, outer


def _ended(inner: HASH, outer: HASH, message: bytes) -> HASH:
    """The outer hash over the inner one over a message, of which both are spent."""
    inner.update(message)
    outer.update(inner.digest())
    return outer
