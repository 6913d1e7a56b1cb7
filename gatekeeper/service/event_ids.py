"""Event ids of sends that come with an `Idempotency-Key`: the same for the same caller, key and send.

An id is `iNUMBER-` and a code under the key with that number. Audit records keep it for years, and a send holds a
person's data. So nobody without the key can try people until an id fits.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from gatekeeper.ground.mac import begun, ended

DIGITS = 40
"""Digits of the code in hex, 160 bits."""


class EventIds:
    """Maker of event ids under each key. `keys`: by number; the highest makes new ids."""

    def __init__(self, keys: Mapping[int, bytes]) -> None:
        self._begun = [(number, *begun(keys[number])) for number in sorted(keys, reverse=True)]

    @property
    def several(self) -> bool:
        """True if ids of earlier keys may be around."""
        return len(self._begun) > 1

    def of(self, caller: str, key: str, send: Mapping[str, Any]) -> list[str]:
        """The ids of a send under all keys, that of the newest key first. `send`: its JSON, without an event id."""
        plain = json.dumps(send, ensure_ascii=False, sort_keys=True)  # a number may be too large for other writers
        message = f"gate/event/1\0{caller}\0{key}\0{plain}".encode("utf-8", "surrogatepass")
        return [
            f"i{number}-{ended(inner.copy(), outer.copy(), message).hexdigest()[:DIGITS]}"
            for number, inner, outer in self._begun
        ]
