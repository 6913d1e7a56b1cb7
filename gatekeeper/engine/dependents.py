"""The people of one partition whose clearances depend on a token or on a record that people's facts name.

Nearly everybody's facts name the tokens of the printed address, so the index of the facts finds these people.
Here are only the other tokens: those that a clearance alone names.
"""

from __future__ import annotations

from collections.abc import Iterator

from gatekeeper.knowledge.known_facts import KnownFacts
from gatekeeper.ledger.state import LedgerState

FEWEST = 10_000
"""Tokens here, at least, before those of ended clearances are looked for."""


class Dependents:
    """Finds people by a name that a fact concerns, without a look at anybody else."""

    def __init__(self, store: KnownFacts, ledger: LedgerState) -> None:
        self._store, self._ledger = store, ledger
        self._printed: dict[str, set[str]] = {}
        self._most = FEWEST

    def note(self, recipient_id: str) -> None:
        """Takes in the clearances of a person. Call it when there is a new one, before the next fact is applied."""
        for token in self._store.unnamed(recipient_id, self._ledger.tokens(recipient_id)):
            self._printed.setdefault(token.decode(), set()).add(recipient_id)
        if len(self._printed) > self._most:
            self._forget()

    def people(self, name: str) -> Iterator[str]:
        """Yields those who may depend on a token, or on a record of `reference` that facts name (kind/id).

        They may be people of other partitions, or of no clearance. Raises LookupError if nobody knows who they are.
        """
        yield from tuple(self._printed.get(name, ()))
        yield from self._store.mentions.people(name)

    def _forget(self) -> None:
        """Lets go the tokens of clearances that have ended."""
        for token, people in list(self._printed.items()):
            if not (still := {person for person in people if token.encode() in self._ledger.tokens(person)}):
                del self._printed[token]
            else:
                self._printed[token] = still
        self._most = max(FEWEST, 2 * len(self._printed))
