"""The people whose sources and consents name a token, a notice, a batch or joint-use terms.

The index only grows. It may give a person too often, or for a token that ends alike; it leaves nobody out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from gatekeeper.deciding.redacted import Token
from gatekeeper.ground.tables import SPOILT, Table
from schemas.events import Consent, Source

NAMED_BY_PEOPLE = ("notice", "batch", "joint_use_terms")
"""Kinds of `reference` that bear only on people whose facts name them."""
_FIELDS: Mapping[type, tuple[tuple[str, str], ...]] = {
    Source: (("notice", "notice_id"), ("batch", "batch_id"), ("joint_use_terms", "terms_id")),
    Consent: (("notice", "notice_id"),),
}
"""By class of a fact: the kinds that it names, and the fields that do."""
_BLOCK = 512
"""Bytes of people in one row, about. A full row is moved aside, so that a new person costs no long copy."""
_TAIL = 12
"""Characters of a token that stand for it: 72 bits."""


class ReverseIndex:
    """Index of people by the names in their facts. The order of the calls does not matter.

    `table`: holds under each name the number of full rows, and the people since the last of them.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    def put(self, recipient_id: str, model: Any, tokens: Iterable[Token], before: bytes) -> None:
        """Takes in a fact of a person. `tokens`: those that it names. `before`: the person's lines without it."""
        for token in tokens:
            if b"\nt%b " % token.token.encode() not in before:
                self._add(_tail(token.token), recipient_id)
        for kind, field in _FIELDS.get(type(model), ()):
            if (id_ := getattr(model, field)) and f'"{field}":"{id_}"'.encode() not in before:
                self._add(f"{kind}/{id_}", recipient_id)

    def people(self, name: str) -> Iterator[str]:
        """Yields the people whose facts name a token, or a record of `reference` (kind/id).

        Raises LookupError if a row is not as it was written: then nobody knows who they are.
        """
        own = name if "/" in name else _tail(name)
        if (row := self._table.get(own)) is None:
            return
        full, *people = _read(row)
        for number in range(int(full)):
            yield from _read(self._table.get(f"{own} {number}") or SPOILT)
        yield from people

    def _add(self, name: str, recipient_id: str) -> None:
        row = self._table.get(name) or b"0"
        if row == SPOILT:
            return
        if len(row) > _BLOCK:
            full, _, people = row.partition(b" ")
            self._table[f"{name} {int(full)}"] = people
            row = b"%d" % (int(full) + 1)
        self._table[name] = b"%b %b" % (row, recipient_id.encode())


def _read(row: bytes) -> list[str]:
    if row == SPOILT:
        raise LookupError(row)
    return row.decode().split(" ")


def _tail(token: str) -> str:
    return f"_{token[-_TAIL:]}"
