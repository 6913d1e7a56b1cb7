"""The addresses behind a person's contact points, told apart by number, never by token (domain rule 7.1.7)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from gatekeeper.deciding.facts import CERTAIN
from gatekeeper.identity import Identified
from schemas.audit import Address
from schemas.events import SendContactPoint

_UNDATED = "-"


class Given(NamedTuple):
    """A token that a source names for a contact point, or a reading of that token, with its score.

    `acquired_at`: when the source was acquired, None if it does not say.
    """

    token: str
    point: str
    source: str
    score: int
    acquired_at: str | None

    @classmethod
    def read(cls, line: bytes) -> Given:
        """Reads it from its line in a person's facts."""
        token, point, source, score, acquired_at = line.decode().split(" ", 4)
        return cls(token, point, source, int(score), acquired_at if acquired_at != _UNDATED else None)

    @property
    def written(self) -> bytes:
        """The line that `read` reads."""
        return f"{self.token} {self.point} {self.source} {self.score} {self.acquired_at or _UNDATED}".encode()


def known_as(given: Iterable[Given]) -> Mapping[str, str] | None:
    """The token of each contact point; None if a contact point has several, or a token has several contact points."""
    pairs = {(one.point, one.token) for one in given if one.score == CERTAIN}
    found = dict(pairs)
    return found if len(pairs) == len(found) == len({*found.values()}) else None


def addresses(
    given: Sequence[Given], known: Mapping[str, str] | None, point: SendContactPoint, at: Identified | None
) -> tuple[Address, ...]:
    """The addresses behind the contact points of a person, numbered, by what is known of the send's own (rule 7.1.7).

    () if each contact point is one address, and the send's is the one on file: then ids tell addresses apart.
    `given`: all tokens of the person's sources. `known`: as `known_as` says of them. `at`: the printed address; if the
    send prints none, the token of its contact point counts.
    """
    token, readings = (at.token, at.readings) if at else (point.token or "", ())
    if known is not None and known.get(point.id, "") == (token if token in known.values() else ""):
        return ()
    here = {**dict(readings), token: CERTAIN}
    number = {token: n for n, token in enumerate(sorted({one.token for one in given if one.score == CERTAIN}))}
    read_as: dict[tuple[str, str, str | None], int] = {}
    for one in given:
        if one.score < CERTAIN and one.token == token:
            read_as[one.point, one.source, one.acquired_at] = one.score
    found = {
        (
            one.point,
            number[one.token],
            one.acquired_at,
            max(here.get(one.token, 0), read_as.get((one.point, one.source, one.acquired_at), 0)),
        )
        for one in given
        if one.score == CERTAIN
    }
    ordered = sorted(found, key=lambda one: (one[0], one[1], one[2] or "", one[3]))
    return tuple(Address(id=id_, n=n, acquired_at=when, here=near) for id_, n, when, near in ordered)
