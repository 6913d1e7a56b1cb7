"""The salts that hide people in proofs, and the marks of people who were erased."""

from __future__ import annotations

import orjson

from gatekeeper.errors import IntegrityError
from gatekeeper.ledger.entries import SALT_BYTES


class Salts:
    """The salt of each person of one partition. A person has a salt or a mark of erasure, never both."""

    def __init__(self) -> None:
        self._kept: dict[bytes, bytes] = {}  # 16 bytes of salt and the master key's number, or the time of erasure

    @property
    def masters(self) -> set[int]:
        """The numbers of the master keys to which the salts belong."""
        return {int(kept[SALT_BYTES:]) for kept in self._kept.values() if len(kept) > SALT_BYTES}

    def put(self, owner: bytes, value: bytes | None) -> None:
        """Puts in the value of an entry, None deletes; raises IntegrityError (4) for a value of another form."""
        if value is None:
            self._kept.pop(owner, None)
            return
        found = orjson.loads(value)
        try:
            if "erased" in found:
                self._kept[owner] = b"%d" % found["erased"]  # at most 16 digits: shorter than any salt
            else:
                self._kept[owner] = b"%b%d" % (bytes.fromhex(found["salt"]), found["master"])
        except (KeyError, TypeError, ValueError):
            raise IntegrityError("error.ledger_unreadable") from None

    def of(self, owner: bytes) -> bytes | None:
        """The salt of a person, None for a person without one and for an erased person.

        The value is the salt of SALT_BYTES and, in digits, the number of the master key to which it belongs. `owner`:
        the bytes of the recipient id.
        """
        kept = self._kept.get(owner)
        return kept if kept and len(kept) > SALT_BYTES else None

    def erased_at(self, recipient_id: str) -> int | None:
        """The instant (milliseconds) of a person's erasure, None if never erased, or readmitted since."""
        kept = self._kept.get(recipient_id.encode(), b"")
        return int(kept) if 0 < len(kept) <= SALT_BYTES else None
