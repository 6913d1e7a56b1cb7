"""Whom a record is about, said so that nobody can tell without two secrets, of which one can be destroyed.

Each person has a random salt in the partition's ledger, made when the first record about them is written. The
person's key is HMAC-SHA256(master key, salt): whoever has the log alone, or the master key alone, knows nobody.
Erasure puts a mark in the salt's place; from then on what was made with it is noise (audit.md §6).
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from typing import NamedTuple

from gatekeeper import memory as entries
from gatekeeper.memory import SALT_BYTES, Entry, Memory


class Subject(NamedTuple):
    """A person as records name them: `subj` is the pseudonym, `key` the person's own of 32 bytes."""

    subj: str
    key: bytes

    def mac(self, value: bytes | None) -> str:
        """Returns the HMAC-SHA256 of an input's bytes in hex: proves what was judged without holding it."""
        return hmac.digest(self.key, value or b"", "sha256").hex()


class Subjects:
    """Names people under the master keys, by their numbers; `chance` gives so many random bytes for a new salt."""

    def __init__(self, masters: Mapping[int, bytes], chance: Callable[[int], bytes]) -> None:
        self._masters = masters
        self._newest = max(masters)
        self._chance = chance

    def of(self, recipient_id: str, memory: Memory) -> tuple[Subject | None, tuple[Entry, ...]]:
        """Returns a person's name in records, and the entry of the salt where that is new.

        None for a person who was erased, of whom no record may say more. Raises KeyError where the salt's master key
        is not among ours.
        """
        if kept := memory.salt(recipient_id):
            return self._named(recipient_id, kept.master, kept.salt), ()
        if memory.erased_at(recipient_id) is not None:
            return None, ()
        salt = self._chance(SALT_BYTES)
        return self._named(recipient_id, self._newest, salt), (entries.salt(recipient_id, self._newest, salt),)

    def _named(self, recipient_id: str, master: int, salt: bytes) -> Subject:
        key = hmac.digest(self._masters[master], salt, "sha256")
        found = hmac.digest(key, recipient_id.encode(), "sha256")
        return Subject("s1_" + urlsafe_b64encode(found)[:-1].decode(), key)
