"""The questions to people on all partitions, by the postal tokens of whom they asked (domain rule 8.2.48).

A question counts under each id of a person. A ledger is one partition's own, so each question is also an entry of the
topic `asked`. Its key is `asked/RECIPIENT/REQUEST`, and its value has tokens, company and time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Set
from typing import NamedTuple

from pydantic import ValidationError

from gatekeeper.ledger.entries import Entry, question_key
from gatekeeper.ledger.salts import PULSE
from schemas.values import ID_PATTERN, Id, Many, Model, Token, Version, ZonedTime

_KEY = re.compile(f"asked/({ID_PATTERN[1:-1]})/({ID_PATTERN[1:-1]})".encode())


class QuestionValue(Model):
    """The value of an entry. A question never ends, so `until` is null."""

    v: Version
    until: None
    at: ZonedTime
    controller_id: Id
    tokens: Many[Token]


class Question(NamedTuple):
    """A question as it counts under other ids."""

    recipient_id: str
    request_id: str
    controller_id: str
    at: str

    @property
    def key(self) -> bytes:
        """The key of its entry."""
        return question_key(self.recipient_id, self.request_id)


class QuestionIndex:
    """The entries of the topic `asked` that were taken so far, in any order."""

    def __init__(self) -> None:
        self._tokens: dict[bytes, tuple[str, ...]] = {}
        self._named: dict[str, dict[bytes, Question]] = {}
        self._of: dict[bytes, set[bytes]] = {}

    def put(self, entry: Entry) -> bool:
        """Puts in a question, which replaces the one with the same key; an entry without value deletes that one.

        False for an entry of another form, which counts for nobody.
        """
        named = _KEY.fullmatch(entry.key)
        if named is None:
            return entry.key == PULSE
        key, owner, request_id = entry.key, named[1], named[2].decode()
        for token in self._tokens.pop(key, ()):
            self._named[token].pop(key)
            self._of[owner].discard(key)
        if entry.value is None:
            return True
        try:
            said = QuestionValue.model_validate_json(entry.value)
        except ValidationError:
            return False
        question = Question(owner.decode(), request_id, said.controller_id, said.at)
        self._tokens[key] = tuple({*said.tokens})
        for token in self._tokens[key]:
            self._named.setdefault(token, {})[key] = question
            self._of.setdefault(owner, set()).add(key)
        return True

    def naming(self, tokens: Iterable[str], controller: str, recipient_id: str) -> set[Question]:
        """The company's questions to other people that name one of these tokens."""
        found = {question for token in tokens for question in self._named.get(token, {}).values()}
        return {one for one in found if one.controller_id == controller and one.recipient_id != recipient_id}

    def of(self, owners: Set[bytes]) -> set[bytes]:
        """The keys of the questions to these people."""
        return {key for owner in self._of.keys() & owners for key in self._of[owner]}


NO_QUESTIONS = QuestionIndex()
"""Those of a caller that does not read the topic."""
