"""The salts that hide people in proofs, and the marks of people who were erased.

A salt is a record of the topic `salts`, under the key `salt/RECIPIENT/`. Its value is canonical JSON with `v`, the
number of the master key, and the salt in hex. A mark of erasure is an entry of the ledger.
"""

from __future__ import annotations

from collections.abc import Set

import orjson

from gatekeeper.ground.errors import IntegrityError
from gatekeeper.ledger.entries import SALT, SALT_BYTES

PULSE = b"pulse"
"""Key of a record that says nothing: Kafka deletes salts and questions only once something is written behind them."""
PULSE_MS = 5 * 3_600_000
"""Milliseconds without a write to one of these topics after which the next transaction writes a pulse there."""


class Salts:
    """The salt of each person of one partition. A salt does not count beside a mark of erasure."""

    __slots__ = ("_erased", "_kept")

    def __init__(self) -> None:
        self._kept: dict[bytes, bytes] = {}  # 16 bytes of salt, and the master key's number in digits
        self._erased: dict[bytes, tuple[int, str | None]] = {}  # the instant, and who alone readmitted the person

    @property
    def masters(self) -> set[int]:
        """The numbers of the master keys to which the salts belong."""
        return {int(salt[SALT_BYTES:]) for salt in self._kept.values()}

    @property
    def erased(self) -> Set[bytes]:
        """The erased people, by the bytes of the recipient id."""
        return self._erased.keys()

    @property
    def outlived(self) -> list[bytes]:
        """Erased people whose salt is still there, after lost writes; by the bytes of the recipient id."""
        return sorted(self._erased.keys() & self._kept.keys())

    def take(self, key: bytes, value: bytes | None) -> None:
        """Puts in a record of `salts`; raises IntegrityError (4) for a record that this engine did not write."""
        if key == PULSE:
            return
        kind, _, rest = key.partition(b"/")
        if kind != SALT or rest[-1:] != b"/":
            raise IntegrityError("error.ledger_unreadable")
        self.put(rest[:-1], value)

    def put(self, owner: bytes, value: bytes | None) -> None:
        """Puts in a person's salt, None deletes; raises IntegrityError (4) for a value of another form."""
        if value is None:
            self._kept.pop(owner, None)
            return
        try:
            entry = orjson.loads(value)
            salt, master = bytes.fromhex(entry["salt"]), entry["master"]
            if len(salt) != SALT_BYTES or type(master) is not int:
                raise ValueError("salt")
        except (KeyError, TypeError, ValueError):
            raise IntegrityError("error.ledger_unreadable") from None
        self._kept[owner] = b"%b%d" % (salt, master)

    def mark(self, owner: bytes, value: bytes | None) -> None:
        """Puts in a person's mark of erasure, None deletes; raises IntegrityError (4) for a value of another form."""
        if value is None:
            self._erased.pop(owner, None)
            return
        try:
            mark = orjson.loads(value)
            self._erased[owner] = int(mark["at"]), mark.get("by")
        except (AttributeError, KeyError, TypeError, ValueError):
            raise IntegrityError("error.ledger_unreadable") from None

    def of(self, owner: bytes) -> bytes | None:
        """The salt of a person, None for a person without one and for an erased person.

        The value is the salt of SALT_BYTES and, in digits, the number of the master key to which it belongs. `owner`:
        the bytes of the recipient id.
        """
        return None if owner in self._erased else self._kept.get(owner)

    def erased_at(self, recipient_id: str) -> int | None:
        """The instant (milliseconds) of a person's erasure, None if never erased, or readmitted since."""
        return self._erased.get(recipient_id.encode(), (None, None))[0]

    def readmitted_by(self, recipient_id: str) -> str | None:
        """The manager who alone has readmitted an erased person so far, None for nobody."""
        return self._erased.get(recipient_id.encode(), (None, None))[1]
