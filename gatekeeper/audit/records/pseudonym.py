"""Pseudonyms of people in records. Linking one to a person takes two secrets, one of which can be destroyed.

Each person has a random salt in the partition's ledger, made when the first record about them is written. The person's
key is HMAC-SHA256(master key, salt). The log alone, or the master key alone, identifies nobody. Erasure puts a mark in
the salt's place. From then on, everything made with the salt is noise (audit.md §6).
"""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Callable, Mapping

from gatekeeper.ground.mac import begun, ended
from gatekeeper.ledger import entries
from gatekeeper.ledger.entries import SALT_BYTES, Entry
from gatekeeper.ledger.state import LedgerState

_URL_SAFE = bytes.maketrans(b"+/", b"-_")


class Master:
    """HMAC-SHA256 under a master key of 32 bytes, which makes people's own keys from their salts."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes) -> None:
        self._inner, self._outer = begun(key)

    def of(self, salt: bytes) -> bytes:
        """The 32-byte key of the person with this salt."""
        return ended(self._inner.copy(), self._outer.copy(), salt).digest()


class Subject:
    """A person with a key of their own, whom records may name by pseudonym."""

    __slots__ = ("_key", "_owner")

    def __init__(self, key: bytes, owner: bytes) -> None:
        """`owner`: the bytes of the recipient id."""
        self._key, self._owner = key, owner

    def names(self, raw: bytes | None) -> tuple[str, str | None]:
        """The person's pseudonym `subj`, and `in_mac`, a proof of an input's bytes that does not hold them.

        `raw`: those bytes; None if they are not available, and then `in_mac` is None too.
        """
        inner, outer = begun(self._key)
        person = b2a_base64(ended(inner.copy(), outer.copy(), self._owner).digest())
        subj = "s1_" + person.translate(_URL_SAFE, b"=\n").decode()
        return subj, None if raw is None else ended(inner, outer, raw).hexdigest()


class Subjects:
    """Pseudonyms under the master keys, by key number. `chance(n)` gives n random bytes for a new salt."""

    def __init__(self, masters: Mapping[int, bytes], chance: Callable[[int], bytes]) -> None:
        self._masters = {b"%d" % number: Master(key) for number, key in masters.items()}
        self._newest = max(masters)
        self._chance = chance

    def of(self, recipient_id: str, ledger: LedgerState) -> tuple[Subject | None, tuple[Entry, ...]]:
        """The person as records name them, and the ledger entry of a new salt.

        None for a person who was erased, about whom no record may say more. Raises KeyError if the salt's master key is
        unknown.
        """
        owner = recipient_id.encode()
        if kept := ledger.salts.of(owner):
            return Subject(self._masters[kept[SALT_BYTES:]].of(kept[:SALT_BYTES]), owner), ()
        if ledger.salts.erased_at(recipient_id) is not None:
            return None, ()
        salt = self._chance(SALT_BYTES)
        subject = Subject(self._masters[b"%d" % self._newest].of(salt), owner)
        return subject, (entries.salt(recipient_id, self._newest, salt),)
