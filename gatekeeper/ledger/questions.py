"""The questions to people on all partitions, by the postal tokens of whom they asked (domain rule 8.2.48).

A question counts under each id of a person. A ledger is one partition's own, so each question is also an entry of the
topic `asked`. Its key is `asked/REQUEST/`, and its value has tokens, company and time, and no person.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from gatekeeper.ledger.entries import Entry
from schemas.codec import canonical

MOST = 64
"""Questions that are kept for a token, at most. The cap is far below."""


class Questions:
    """The entries of the topic `asked` that were taken so far, in any order."""

    def __init__(self) -> None:
        self.known = True
        """False while they could not be read; then nobody may be asked."""
        self._by_request: dict[bytes, list[str]] = {}
        self._by_token: dict[str, dict[bytes, bytes]] = {}

    def put(self, entry: Entry) -> bool:
        """Puts in a question, which replaces the one with the same key; an entry without value deletes that one.

        False for a value of another form, which counts for nobody.
        """
        for token in self._by_request.pop(entry.key, ()):
            asked = self._by_token[token]
            asked.pop(entry.key, None)
            if not asked:
                del self._by_token[token]
        if entry.value is None:
            return True
        try:
            value = orjson.loads(entry.value)
            line = canonical({name: value[name] for name in ("at", "controller_id", "v")})
            tokens = [str(token) for token in value["tokens"]]
        except (KeyError, TypeError, ValueError):
            return False
        kept = self._by_request[entry.key] = []
        for token in tokens:
            asked = self._by_token.setdefault(token, {})
            if len(asked) < MOST:
                asked[entry.key] = line
                kept.append(token)
        return True

    def naming(self, tokens: Iterable[str]) -> dict[str, dict[str, Any]]:
        """The questions that name one of these tokens, by the id of the request."""
        found = {key: line for token in tokens for key, line in self._by_token.get(token, {}).items()}
        return {key.split(b"/")[1].decode(): orjson.loads(line) for key, line in found.items()}
