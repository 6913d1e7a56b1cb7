"""The facts of an erasure: a stop for the person and one per known address. So no list brings them back.

An address is a token, which stays the same if the person comes back under another id.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.settings import Settings
from gatekeeper.knowledge.reference_log import ReferenceLog
from gatekeeper.knowledge.unreadable import named
from gatekeeper.staff.signed_acts import Correctors, correctors
from schemas.codec import Parsed, Unreadable, decode, encode, parse
from schemas.events import PairedAct, Source, Suppression
from schemas.events.sends import CARRIED, Match
from schemas.values import Token
from streams.client.fact_with_act import FactsWithAct, Pair
from streams.client.outgoing import Outgoing
from streams.client.reader import Reader
from streams.client.signatory import Signatory
from streams.operations import endorsement

_OURS = re.compile(r"erase-([0-9a-f]{32})-[0-9]+")
"""Pattern of the id of a stop that an erasure act wrote."""
Address = tuple[Token, tuple[Match, ...]]
"""A token and its less exact readings. A list with a less precise address than the source matches only a reading."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """The stops that an act about a person writes or takes back, and the partitions of the act.

    `sources`: number of records of `sources` that name the person. `unreadable`: number of these that cannot be read,
    so that their addresses are not known.
    """

    act: PairedAct
    stops: Sequence[Suppression]
    partitions: Sequence[int]
    sources: int = 0
    unreadable: int = 0

    def dated(self, at: str) -> Erasure:
        """The same at another instant: the gate refuses an act, or a correction, ten minutes after its date."""
        stops = [stop.model_copy(update={"received_at": at}) for stop in self.stops]
        return replace(self, act=self.act.model_copy(update={"at": at}), stops=stops)

    def write(self, settings: Settings, signatory: Signatory | None = None) -> Pair:
        """Writes everything or nothing; raises as `fact_with_act.write` does."""
        return self.planned.write(settings, signatory)

    @property
    def planned(self) -> FactsWithAct:
        """The stops and the act, before they are written."""
        return FactsWithAct(outgoing(self.stops), self.act, self.partitions)


def erasure(reader: Reader, act: PairedAct, taken: Callable[[], object] = lambda: None) -> Erasure:
    """The erasure of the person whom the act names; reads all of `sources`, and calls `taken` for each record."""
    recipient = act.recipient_id or ""
    known, sources, unreadable = addresses(reader, recipient, taken)
    written = stops(recipient, known, act_id=act.act_id, at=act.at)
    return Erasure(act, written, reader.numbers("acts"), sources, unreadable)


def readmission(reader: Reader, act: PairedAct) -> Erasure:
    """The reversal of a person's erasure; it ends the stops once two managers wrote one each (rule 8.1.40).

    Raises UsageError (2) for a person who was never erased, and for an act without evidence.
    """
    erasures = standing(reader, act.recipient_id or "", endorsement.read(reader).log)
    if not erasures:
        raise UsageError("error.never_erased")
    if act.evidence_ref is None:
        raise UsageError("error.readmit_evidence")
    return Erasure(act, taken_back(erasures, act), reader.numbers("acts"))


def addresses(
    reader: Reader, recipient_id: str, taken: Callable[[], object] = lambda: None
) -> tuple[list[Address], int, int]:
    """The addresses of a person in the sources, the number of records that name the person, and of unreadable ones.

    An unreadable record counts if its key is the person's, or if their id occurs anywhere in it.
    If several records give readings of one token, the most certain are kept, up to the limit of a stop.
    """
    by_token: dict[Token, dict[Token, int]] = {}
    sources = unreadable = 0
    owner = recipient_id.encode()
    for record in reader.read("sources"):
        taken()
        if record.key not in (None, owner):
            continue
        try:
            source: Source = decode("sources", record.key, record.value)
        except Unreadable:
            value = record.value or b""
            # `named` looks only so far; an id that stands anywhere in the bytes makes one warning too many at worst
            about = recipient_id in named("sources", record.key, value) or owner in value
            sources, unreadable = sources + about, unreadable + about
            continue
        if source.recipient_id != recipient_id:
            continue
        sources += 1
        for point in source.contact_points:
            less = by_token.setdefault(point.token, {})
            for reading in point.readings:
                less[reading.token] = max(reading.score, less.get(reading.token, 0))
    return [(token, _surest(less)) for token, less in sorted(by_token.items())], sources, unreadable


def stops(recipient_id: str, known: Iterable[Address], *, act_id: str, at: str) -> list[Suppression]:
    """The stops of an erasure: of the person, then of each address; their ids begin with the act's."""
    targets: list[tuple[str | None, str | None, tuple[Match, ...]]] = [(recipient_id, None, ())]
    targets += [(None, token, readings) for token, readings in known]
    return [
        Suppression(
            v=1,
            kind="erasure",
            suppression_id=f"erase-{act_id}-{number}",
            received_at=at,
            recipient_id=recipient,
            token=token,
            readings=readings,
        )
        for number, (recipient, token, readings) in enumerate(targets)
    ]


def standing(reader: Reader, recipient_id: str, log: ReferenceLog) -> list[Suppression]:
    """The erasures of a person that nobody has taken back, each with its stops of addresses.

    `log`: the people on record. A correction that only one manager stands for takes nothing back.
    """
    newest: dict[str, Suppression] = {}
    stand: dict[str, Correctors] = {}
    for record in reader.read("suppressions"):
        try:
            parsed: Parsed[Suppression] = parse("suppressions", record.key, record.value)
        except Unreadable:
            continue
        stop = parsed.model
        if stop.kind != "erasure":
            continue
        id_ = stop.suppression_id
        if stop.state != "corrected":
            newest[id_], stand[id_] = stop, Correctors()
        elif id_ in newest:
            stand[id_] |= correctors(record, parsed.json, roster=log.roster, origin=log.origin)
            if len(stand[id_].managers) > 1:
                del newest[id_]
    own = [stop for stop in newest.values() if stop.recipient_id == recipient_id]
    acts = {_act(stop) for stop in own} - {None}
    return own + [stop for stop in newest.values() if stop.token and _act(stop) in acts]


def taken_back(stops: Iterable[Suppression], act: PairedAct) -> list[Suppression]:
    """The corrections of these stops by whoever acts."""
    said = {"state": "corrected", "received_at": act.at, "by": act.by, "evidence_ref": act.evidence_ref}
    return [stop.model_copy(update=said) for stop in stops]


def outgoing(stops: Iterable[Suppression]) -> list[Outgoing]:
    """These stops as records to write."""
    return [Outgoing("suppressions", (stop.recipient_id or stop.token or "").encode(), encode(stop)) for stop in stops]


def _surest(readings: Mapping[Token, int]) -> tuple[Match, ...]:
    surest = sorted(readings.items(), key=lambda reading: (-reading[1], reading[0]))[:CARRIED]
    return tuple(Match(token=token, score=score) for token, score in surest)


def _act(stop: Suppression) -> str | None:
    """The id of the act that wrote a stop. None for a stop of others, whose ids may begin like ours."""
    match = _OURS.fullmatch(stop.suppression_id)
    return match[1] if match else None
