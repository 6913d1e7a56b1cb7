"""Whom a record is about, said so that nobody can tell without two secrets, of which one can be destroyed.

Each person has a random salt in the partition's ledger, made when the first record about them is written. The
person's key is HMAC-SHA256(master key, salt): whoever has the log alone, or the master key alone, knows nobody.
Erasure puts a mark in the salt's place; from then on what was made with it is noise (audit.md §6).
"""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Callable, Mapping
from hashlib import sha256

from gatekeeper import memory as entries
from gatekeeper.memory import SALT_BYTES, Entry, Memory

_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))


class Mac:
    """HMAC-SHA256 (RFC 2104) under one key of at most 64 bytes, of which the half that knows the key is done once.

    `hmac.digest` looks its hash up at every call, which takes longer than to hash: a record has three of these.
    """

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes) -> None:
        block = key.ljust(64, b"\0")
        self._inner, self._outer = sha256(block.translate(_INNER)), sha256(block.translate(_OUTER))

    def of(self, value: bytes) -> bytes:
        """Returns the 32 bytes of a value."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(value)
        outer.update(inner.digest())
        return outer.digest()


class Subject(Mac):
    """A person as records name them: `subj` is the pseudonym; all of it is made with the person's own key."""

    __slots__ = ("subj",)

    def __init__(self, key: bytes, recipient_id: str) -> None:
        super().__init__(key)
        self.subj = "s1_" + b2a_base64(self.of(recipient_id.encode())).translate(_URL_SAFE, b"=\n").decode()

    def mac(self, value: bytes | None) -> str:
        """Returns the HMAC-SHA256 of an input's bytes in hex: proves what was judged without holding it."""
        return self.of(value or b"").hex()


class Subjects:
    """Names people under the master keys, by their numbers; `chance` gives so many random bytes for a new salt."""

    def __init__(self, masters: Mapping[int, bytes], chance: Callable[[int], bytes]) -> None:
        self._masters = {number: Mac(key) for number, key in masters.items()}
        self._newest = max(masters)
        self._chance = chance

    def of(self, recipient_id: str, memory: Memory) -> tuple[Subject | None, tuple[Entry, ...]]:
        """Returns a person's name in records, and the entry of the salt where that is new.

        None for a person who was erased, of whom no record may say more. Raises KeyError where the salt's master key
        is not among ours.
        """
        if kept := memory.salt(recipient_id):
            return Subject(self._masters[kept.master].of(kept.salt), recipient_id), ()
        if memory.erased_at(recipient_id) is not None:
            return None, ()
        salt = self._chance(SALT_BYTES)
        found = Subject(self._masters[self._newest].of(salt), recipient_id)
        return found, (entries.salt(recipient_id, self._newest, salt),)
