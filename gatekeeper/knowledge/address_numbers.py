"""The addresses behind a person's contact points, told apart by number, never by token (domain rule 7.1.7)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from gatekeeper.deciding.facts import CERTAIN
from gatekeeper.identity import key_of
from gatekeeper.knowledge.token_keys import SendAddress, comparable
from schemas.audit import Address
from schemas.events import SendContactPoint

_UNDATED = "-"
UNNAMED = "?"
"""The entruster of an entrusted source that names none."""


class Given(NamedTuple):
    """A token that a source names for a contact point, or a reading of that token, with its score.

    `acquired_at`: when the source was acquired, None if it does not say. `channel`: of the contact point, None if the
    source does not say. `entruster`: of an entrusted source, UNNAMED if it does not say, None for any other source.
    """

    token: str
    point: str
    source: str
    score: int
    acquired_at: str | None
    channel: str | None = None
    entruster: str | None = None

    @classmethod
    def read(cls, line: bytes) -> Given:
        """Reads it from its line in a person's facts."""
        token, point, source, score, about, acquired_at = line.decode().split(" ", 5)
        when = acquired_at if acquired_at != _UNDATED else None
        channel, _, entruster = about.partition("/")
        return cls(token, point, source, int(score), when, channel or None, entruster or None)

    @property
    def fact(self) -> tuple[str, str, str | None]:
        """The contact point, source and date that the token belongs to."""
        return self.point, self.source, self.acquired_at

    @property
    def written(self) -> bytes:
        """The line that `read` reads."""
        about = f"{self.channel or ''}/{self.entruster or ''}"
        return f"{self.token} {self.point} {self.source} {self.score} {about} {self.acquired_at or _UNDATED}".encode()


def known_as(given: Iterable[Given]) -> Mapping[str, str] | None:
    """The token of each contact point; None if a contact point has several, or a token has several contact points.

    None also for tokens of several keys, as two of them may be one address.
    """
    pairs = {(naming.point, naming.token) for naming in given if naming.score == CERTAIN}
    tokens = dict(pairs)
    if len({key_of(token) for token in tokens.values()}) > 1:
        return None
    return tokens if len(pairs) == len(tokens) == len({*tokens.values()}) else None


def addresses(
    given: Sequence[Given], known: Mapping[str, str] | None, point: SendContactPoint, at: SendAddress
) -> tuple[Address, ...]:
    """The addresses behind the contact points of a person, numbered, by what is known of the send's own (rule 7.1.7).

    () if each contact point is one address, and the send's is the one on file: then ids tell addresses apart.
    `given`: all tokens of the person's sources. `known`: as `known_as` says of them. `at`: the send's address.
    """
    if known is not None and _on_file(known, point, at):
        return ()
    given = _without_copies(given, at)
    here = {**at.readings, **dict.fromkeys(at.exact, CERTAIN)}
    tokens = sorted({naming.token for naming in given if naming.score == CERTAIN})
    number = {token: n for n, token in enumerate(tokens)}
    number.update(dict.fromkeys(at.exact, min((number[token] for token in at.exact if token in number), default=0)))
    read_as: dict[tuple[str, str, str | None], int] = {}
    for naming in given:
        if naming.score < CERTAIN and naming.token in at.exact:
            read_as[naming.point, naming.source, naming.acquired_at] = naming.score
    rows = {
        (
            naming.point,
            number[naming.token],
            naming.acquired_at,
            max(here.get(naming.token, 0), read_as.get((naming.point, naming.source, naming.acquired_at), 0)),
            at.keys is not None and key_of(naming.token) not in at.keys,
        )
        for naming in given
        if naming.score == CERTAIN
    }
    ordered = sorted(rows, key=lambda row: (row[0], row[1], row[2] or "", row[3]))
    return tuple(
        Address(id=id_, n=n, acquired_at=when, here=near, unknown=unknown) for id_, n, when, near, unknown in ordered
    )


def _on_file(known: Mapping[str, str], point: SendContactPoint, at: SendAddress) -> bool:
    """True if the send's contact point, and no other, is known as the send's address, or neither is known."""
    if at.keys is not None and any(key_of(token) not in at.keys for token in known.values()):
        return False
    here = {name for name, token in known.items() if token in at.exact}
    return here == ({point.id} if point.id in known else set())


def _without_copies(given: Sequence[Given], at: SendAddress) -> Sequence[Given]:
    """The tokens without those of an address that a token of a better key stands for, in the same source."""
    if len({key_of(naming.token) for naming in given}) < 2:
        return given
    tokens: dict[tuple[str, str, str | None], set[str]] = {}
    for naming in given:
        if naming.score == CERTAIN:
            tokens.setdefault(naming.fact, set()).add(naming.token)
    kept = {fact: comparable(at.keys or (), named) for fact, named in tokens.items()}
    return [naming for naming in given if key_of(naming.token) in kept.get(naming.fact, (key_of(naming.token),))]
