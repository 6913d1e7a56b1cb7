"""The meeting of a send with the tokens of another id (domain rule 8.1.36)."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from gatekeeper.deciding.facts import CERTAIN
from gatekeeper.deciding.other_ids import CrossingNo
from gatekeeper.deciding.redacted import BESIDE
from gatekeeper.identity import Identified
from gatekeeper.knowledge.address_numbers import Given
from gatekeeper.knowledge.person_facts import PersonFacts, person_of, spellings
from schemas.codec import canonical
from schemas.events import Send

POSTAL = "postal"
NAMELESS = frozenset({"email", "sms", "phone", "fax"})
"""Channels whose tokens carry no name: a mailbox or a number may be of several people."""
_NOBODY = person_of(b"")
_ID = 40
"""Hex digits of the id of a pair."""


class Tokens(NamedTuple):
    """Tokens with their scores (per mille): whole spellings, and less exact readings. Two readings never meet."""

    whole: Mapping[str, int]
    less: Mapping[str, int]

    def score(self, given: Given) -> int:
        """The certainty with which a token that a source gave meets one of these; 0 if it does not."""
        if given.score == CERTAIN:
            return max(self.whole.get(given.token, 0), self.less.get(given.token, 0))
        return self.whole.get(given.token, 0) * given.score // CERTAIN


class Met(NamedTuple):
    """The score of a meeting. `nameless`: only a mailbox or a number met. `name`: as of `Stopped.named`."""

    score: int
    nameless: bool
    name: int | None = None


class Meeting(NamedTuple):
    """The tokens by which a send meets other ids. `printed`: printed or named by it. `posted`: of sources for post.

    `nth`: the places of printed names, by token.
    """

    printed: Tokens
    posted: Tokens
    nameless: bool
    nth: Mapping[str, int]

    @classmethod
    def of(cls, send: Send, person: PersonFacts, place: Identified | None) -> Meeting:
        """The tokens of a send and of its recipient. `place`: the address that it prints."""
        whole, less, _ = spellings(_NOBODY, send, place, ())
        posted = [one for one in person.tokens if one.channel == POSTAL and _is_for(one, send.controller_id)]
        exact = {one.token: CERTAIN for one in posted if one.score == CERTAIN}
        readings = {one.token: one.score for one in posted if one.score < CERTAIN}
        nth = dict(place.named) if place else {}
        return cls(Tokens(whole, less), Tokens(exact, readings), send.channel in NAMELESS, nth)

    def points(self, given: Iterable[Given], sender: str) -> dict[str, Met]:
        """The contact points of another id that the send meets; tokens of an entrusted source meet its entruster's."""
        found: dict[str, Met] = {}
        for one in given:
            if one.score == BESIDE or not _is_for(one, sender):
                continue
            posted = self.posted.score(one) if one.channel == POSTAL else 0
            score = max(self.printed.score(one), posted)
            if score:
                had = found.get(one.point, Met(0, nameless=True))
                name = None if posted == score else self.nth.get(one.token)
                if had.score > score or (had.score == score and had.name is None):
                    name = had.name
                nameless = had.nameless and self.nameless and not posted
                found[one.point] = Met(max(score, had.score), nameless, name)
        return found

    def line(self, no: CrossingNo, points: Mapping[str, Met], id_: str) -> tuple[bytes, int, int | None] | None:
        """The redacted form of a no under an id, with score and name; None where it meets no point."""
        met = [point for name, point in points.items() if no.point in (None, name)]
        if not met:
            return None
        nameless = {"nameless": True} if all(point.nameless for point in met) else {}
        best = max(met, key=lambda point: (point.score, point.name is None))
        return canonical({**no.event, **nameless, "suppression_id": id_}), best.score, best.name


def pair_id(key: bytes, recipient_id: str, other: str, fact: str) -> str:
    """The id under which a recipient's facts hold a no of another id: a keyed hash, which names neither."""
    said = f"gate/no/1\0{recipient_id}\0{other}\0{fact}".encode()
    return f"no-{hmac.digest(key, said, 'sha256').hex()[:_ID]}"


def _is_for(given: Given, sender: str) -> bool:
    return given.entruster in (None, sender)
