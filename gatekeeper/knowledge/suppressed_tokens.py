"""The suppressions that name a token: by them a person's spellings find the stops of others' records.

A suppression stands under each whole token that it names, and under each less exact reading of one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

import msgspec

from gatekeeper.deciding.facts import CERTAIN
from gatekeeper.deciding.redacted import Token
from gatekeeper.ground.tables import Table
from gatekeeper.identity import NUMBER_MISSING
from gatekeeper.knowledge.person_facts import PersonFacts, add


class Stopped(NamedTuple):
    """The stops that a look-up met, in their redacted form, with the certainty of each match (per mille).

    `elsewhere`: those only of another contact point. `overfull`: the faults of tokens with too many lines. `linked`:
    the people whose nos may bind whoever has one of the tokens. `named`: the places of printed names, by which alone a
    stop was met so surely (domain rule 8.2.44).
    """

    stops: dict[bytes, int]
    elsewhere: set[bytes]
    overfull: list[str]
    linked: set[str]
    named: dict[bytes, int]


class SuppressedTokens:
    """The suppressions in their redacted form, by token. The order of the calls does not matter.

    `decoded`: decodes the lines of a token, as `person_of` does. `by_token`: holds the lines.
    """

    def __init__(self, decoded: Callable[[bytes], PersonFacts], by_token: Table) -> None:
        self._decoded = decoded
        self._by_token = by_token

    def add(self, token: Token, line: bytes, suppression_id: str, *, wide: bool = False) -> bool:
        """Adds a suppression to a token that it names; `line`: its redacted form. `wide`: it may mean this address.

        The result is True for a whole token that this suppression did not name before.
        """
        whole = token.score == CERTAIN
        new = whole and not self.names(token.token, suppression_id)
        kind = b"v" if wide else b"w"
        add(self._by_token, token.token, [b"x" + line if whole else b"%b%d %b" % (kind, token.score, line)])
        return new

    def link(self, token: str, recipient_id: str) -> bool:
        """Notes that a person whose nos may bind other ids has a token; True if that was not known."""
        line = b"n" + recipient_id.encode()
        new = line not in (self._by_token.get(token) or b"").split(b"\n")
        if new:
            add(self._by_token, token, [line])
        return new

    def linked(self, token: str) -> set[str]:
        """The people with a token whose nos may bind other ids."""
        lines = self._by_token.get(token)
        return {line[1:].decode() for line in lines.split(b"\n") if line[:1] == b"n"} if lines else set()

    def stops(
        self,
        person: PersonFacts,
        tokens: Mapping[str, int],
        readings: Mapping[str, int],
        here: Collection[str],
        nth: Mapping[str, int],
        forms: Collection[str] = (),
    ) -> Stopped:
        """The person's stops, and those of the tokens.

        A reading of a stop matches a whole spelling, and a reading of a spelling matches a whole stop. Two readings
        never match, because rooms 101 and 102 share one. But another form of the name, at the whole address, matches a
        reading of a wide stop (rule 8.1.37).
        `tokens`, `readings`: spellings of the person and the send, with their scores. `here`: those of the send's own
        contact point. `nth`: the places of printed names, by token. `forms`: tokens of other forms of printed names.
        """
        stops = dict.fromkeys(person.stops, CERTAIN)
        at_hand = set(person.stops)
        elsewhere: set[bytes] = set()
        overfull: list[str] = []
        linked: set[str] = set()
        named: dict[bytes, int] = {}

        def match(token: str, line: bytes, score: int) -> None:
            score = CERTAIN if score == NUMBER_MISSING and _of_rooms(line) else score
            if score >= (had := stops.get(line, 0)):
                stops[line] = score
                if token not in nth:
                    named.pop(line, None)
                elif score > had:
                    named[line] = nth[token]
            (at_hand if token in here else elsewhere).add(line)

        for scores in (tokens, readings):
            for token, score in scores.items():
                if (lines := self._by_token.get(token)) is None:
                    continue
                stopped = self._decoded(lines)
                overfull += stopped.overfull
                linked.update(stopped.linked)
                for line in stopped.stops:
                    match(token, line, score)
                near = stopped.near if scores is tokens else stopped.wide if token in forms else ()
                for weaker, line in near:
                    match(token, line, score * weaker // CERTAIN)
        return Stopped(stops, elsewhere - at_hand, overfull, linked, named)

    def names(self, token: str, suppression_id: str) -> bool:
        """True if a suppression with this id names this token itself, not a reading of its own."""
        named = b'"suppression_id":"%b"' % suppression_id.encode()
        lines = (self._by_token.get(token) or b"").split(b"\n")
        return any(line[:1] == b"x" and named in line for line in lines)


def _of_rooms(line: bytes) -> bool:
    """True if a stop is of a whole address with its rooms, for which two managers stand (domain rule 8.1.38)."""
    by = msgspec.json.decode(line).get("by") if b'"whole_address":true' in line else None
    return isinstance(by, list) and len({*by}) > 1
