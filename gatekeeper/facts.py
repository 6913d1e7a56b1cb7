"""The facts of everybody, folded from events: the same for the same set of events, in whatever order and number.

A person is one bytes value of sorted, distinct lines: `s` a source, `t` a token that a source gave, `c` a consent
event, `e` a further event, `x` a suppression, `a` an ask, `r` a reviewer's release, each in its judged form
(gatekeeper.known). About 1 KB a person, nothing for the garbage collector to walk, and decoded only when judged.
A token has the same: `x` a suppression that names it, `w` one of which it is only a less exact reading.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Set
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple

import orjson
from pydantic import TypeAdapter, ValidationError

from gatekeeper import known
from gatekeeper.activation import Activations
from gatekeeper.identity import Identified, Printed
from gatekeeper.known import CERTAIN, Facts
from gatekeeper.reference import Reference, Referred, place_of
from schemas.audit import Printing
from schemas.codec import Unreadable, canonical, decode
from schemas.events import (
    Ask,
    Consent,
    PersonEvent,
    PolicyVersion,
    Release,
    Resolution,
    Send,
    SendContactPoint,
    Source,
    Suppression,
)
from schemas.topics import logical_name, subject_key
from schemas.values import RecipientId

Place = tuple[str, int, int]
"""Topic (registry name), partition, offset."""

CAPS = {b"s": 64, b"t": 4096, b"c": 256, b"e": 256, b"x": 256, b"w": 256, b"a": 256, b"r": 256}
"""How many lines of each kind count; of more none is kept, and the person is FACTS_UNAVAILABLE."""

SNAPSHOT_BYTES = 160 * 1024
"""Of whom more is known than this, none counts, as with CAPS: with the send and the reasons it must fit a record."""
UNREADABLE = 64
"""More unreadable records of one person are not named one by one."""
_OVERFULL = b"!"
_POLICY = "policy/"
_ID = TypeAdapter(RecipientId)
_NAMES_SOMEBODY = re.compile(rb'"(?:recipient_id|token)"\s*:\s*"([A-Za-z0-9._:\-]{1,64})"')
_NAMES_REFERENCE = re.compile(r"[a-z_]{1,32}/[A-Za-z0-9._:\-]{1,64}")
_WORD = re.compile(rb"(?m)^[a-z]|[A-Za-z0-9._:\-]+")
"""An id or token in the lines of a person, or a line's kind, which stands before it without a gap."""


class FactStore:
    """Everything known: `apply` takes a record of a fact topic in, `view` gives what bears on a send."""

    def __init__(self) -> None:
        self.reference = Reference()
        self.activations = Activations()
        self.unreadable: dict[Place, str] = {}
        """Records that could not be read and are not resolved, with their fault."""
        self.stray: dict[Place, str] = {}
        """Those of them that name nobody, and so can withhold nobody."""
        self.listeners: list[Callable[[str], None]] = []
        """Each is told whom a record is about once it is applied: a recipient id, a token, or a reference's kind/id."""
        self._people: dict[str, bytes] = {}
        self._by_token: dict[str, bytes] = {}
        self._withheld: dict[str, set[Place]] = {}  # recipient id, token, or a reference's kind/id
        self._named: dict[Place, frozenset[str]] = {}
        self._resolved: set[Place] = set()
        self._newest: dict[str, tuple[int, int]] = {}
        self._refs: dict[tuple[str, str, tuple[str, ...]], bytes] = {}

    @property
    def people(self) -> int:
        """How many people anything is known of."""
        return len(self._people)

    def apply(self, topic: str, partition: int, offset: int, key: bytes | None, value: bytes | None) -> str | None:
        """Takes one record in; returns None, or the fault for which it could not be read. Never raises.

        `topic` is the registry name. An unreadable record withholds whom it names until a resolution names it.
        """
        fault = None
        try:
            names = self._fold(topic, (partition, offset), decode(topic, key, value), value or b"")
        except Unreadable as unreadable:
            fault = str(unreadable)
        except Exception as error:  # a defect of ours must not stop the facts of everybody else
            fault = f"failed_{type(error).__name__}"
        if fault is not None:
            names = _named(topic, key, value or b"")
            self._withhold((topic, partition, offset), fault, names, value or b"")
        for listener in self.listeners:
            for name in names:
                listener(name)
        return fault

    def mentions(self, recipient_id: str, names: Set[bytes]) -> bool:
        """Tells whether what is known of a person may hold a word (token, id, state); never a no where it does."""
        return not names.isdisjoint(_WORD.findall(self._people.get(recipient_id, b"")))

    def view(
        self,
        send: Send,
        printed: Printed | None = None,
        *,
        asks: bytes = b"",
        releases: bytes = b"",
        erased: int | None = None,
    ) -> Facts:
        """Returns what is known that bears on `send`.

        `printed`: what its delivery comes to (`identity.printed`); of a send without one the token it names counts.
        `asks`, `releases`: in their judged form, one a line, what a worker remembers beside the facts.
        `erased`: since when it remembers the person as erased (milliseconds).
        """
        person = _person(self._people.get(send.recipient_id, b""))
        if asks or releases:
            person = _joined(person, asks, releases)
        at = printed if isinstance(printed, Identified) else None
        given_by, near = _covering(person, send.contact_point, at) if at or printed is None else (frozenset(), {})
        tokens, readings, here = _spellings(person, send, at, near)
        stops, elsewhere, overfull = self._stops(person, tokens, readings, here)
        faults = {*person.overfull, *overfull}
        if self._withheld:
            faults.update(self._unreadable_for(send, person, {**readings, **tokens}))
        unreadable = tuple(sorted(faults))
        how: Printing | None = "tokenised" if isinstance(printed, Identified) else printed
        snapshot = known.snapshot(
            source_lines=person.source_lines,
            consent_lines=person.consent_lines,
            stops=stops,
            contact_point_from=given_by,
            contact_point_near=near,
            printed=how,
            unreadable=unreadable,
            refs=self._references(send, person.refs),
            elsewhere=elsewhere,
            event_lines=person.event_lines,
            ask_lines=person.ask_lines,
            release_lines=person.release_lines,
            erased=erased,
        )
        if len(snapshot) > SNAPSHOT_BYTES or len(unreadable) > UNREADABLE:
            return self._overfull(send, unreadable, printed=how, erased=erased)
        return Facts(
            sources=person.sources,
            consents=person.consents,
            suppressions=known.hits(stops, elsewhere) if stops else (),
            contact_point_from=given_by,
            contact_point_near=near,
            printed=how,
            unreadable=unreadable,
            snapshot=snapshot,
            events=person.events,
            asks=person.asks,
            releases=person.releases,
            erased=erased,
        )

    def _overfull(
        self, send: Send, unreadable: tuple[str, ...], *, printed: Printing | None, erased: int | None
    ) -> Facts:
        """Returns the view of somebody of whom more is known than a record holds: that this is so, and no fact."""
        faults = tuple(sorted({*unreadable[:UNREADABLE], "too_many/facts"}))
        return known.read_snapshot(
            known.snapshot(
                source_lines=b"",
                consent_lines=b"",
                stops={},
                contact_point_from=(),
                printed=printed,
                unreadable=faults,
                refs=self._references(send, ()),
                erased=erased,
            )
        )

    def person(self, recipient_id: str) -> bytes:
        """Returns what is known of a person apart from any send, as canonical JSON of `schemas.audit.Snapshot`."""
        person = _person(self._people.get(recipient_id, b""))
        stops, _, overfull = self._stops(person, person.exact, person.less, ())
        places = set().union(*(self._withheld.get(name, ()) for name in (recipient_id, *person.exact, *person.less)))
        faults = (*person.overfull, *overfull, *("/".join(map(str, place)) for place in places))
        return known.snapshot(
            source_lines=person.source_lines,
            consent_lines=person.consent_lines,
            stops=stops,
            contact_point_from=(),
            unreadable=sorted(set(faults)),
            refs=b"{}",
            event_lines=person.event_lines,
            ask_lines=person.ask_lines,
            release_lines=person.release_lines,
        )

    def _stops(
        self, person: _Person, tokens: Mapping[str, int], readings: Mapping[str, int], here: Collection[str]
    ) -> tuple[dict[bytes, int], set[bytes], list[str]]:
        """Returns the stops of the person with how surely each is one, those only of another contact point, faults.

        A reading of a stop meets a whole spelling, and a reading of a spelling a whole stop. Two readings never meet:
        the rooms 101 and 102 share one.
        """
        stops = dict.fromkeys(person.stops, CERTAIN)
        at_hand = set(person.stops)
        elsewhere: set[bytes] = set()
        overfull: list[str] = []

        def add(token: str, line: bytes, score: int) -> None:
            stops[line] = max(score, stops.get(line, 0))
            (at_hand if token in here else elsewhere).add(line)

        for found in (tokens, readings):
            for token in found.keys() & self._by_token.keys():
                stopped, score = _person(self._by_token[token]), found[token]
                overfull += stopped.overfull
                for line in stopped.stops:
                    add(token, line, score)
                for weaker, line in stopped.near if found is tokens else ():
                    add(token, line, score * weaker // CERTAIN)
        return stops, elsewhere - at_hand, overfull

    def _fold(self, topic: str, at: tuple[int, int], model: Any, value: bytes) -> Collection[str]:
        """Takes a readable record in; returns whom it is about, a suppression by token by each of its readings."""
        if topic == "reference":
            self._refer(model, value, at)
            return (subject_key(topic, model),)
        if type(model) not in _KINDS and topic == "acts":
            raise Unreadable("kind_unknown", "kind")  # what is done about an item is no fact of a person
        line, tokens = known.judged(topic, value)
        if topic == "sources":
            lines = [b"s" + line]
            lines += [f"t{one.token} {one.point} {model.source_id} {one.score}".encode() for one in tokens]
            _add(self._people, model.recipient_id, lines)
        elif topic == "suppressions" and tokens:
            _add(self._by_token, tokens[0].token, [b"x" + line])
            for one in tokens[1:]:
                _add(self._by_token, one.token, [b"w%d %b" % (one.score, line)])
            return [one.token for one in tokens]
        else:
            _add(self._people, model.recipient_id, [_KINDS[type(model)] + line])
        return (model.recipient_id,)

    def _unreadable_for(self, send: Send, person: _Person, tokens: Iterable[str]) -> list[str]:
        names = {send.recipient_id, f"controller/{send.controller_id}", f"template/{send.template_id}", *tokens}
        places = set().union(*(self._withheld.get(name, ()) for name in (*names, *person.refs)))
        return [f"{topic}/{partition}/{offset}" for topic, partition, offset in places]

    def _references(self, send: Send, named: tuple[str, ...]) -> bytes:
        """Returns the digests of all that a send and its person name, and of the template that asks people."""
        refs = self._refs.get((send.controller_id, send.template_id, named))
        if refs is None:
            keys = {f"controller/{send.controller_id}", f"template/{send.template_id}", *named}
            keys.update({f"template/{self.reference.ask.id}"} if self.reference.ask else ())
            refs = canonical({key: self.reference.digests.get(key) for key in keys})
            if len(self._refs) >= 4096:
                self._refs.clear()
            self._refs[send.controller_id, send.template_id, named] = refs
        return refs

    def _refer(self, model: Referred | Resolution, value: bytes, at: tuple[int, int]) -> None:
        if isinstance(model, Resolution):
            self._resolve((logical_name(model.topic), model.partition, model.offset))
            return
        key = place_of(model)
        if self._newest.get(key, at) <= at:  # read again from the start, an older record changes nothing
            if isinstance(model, PolicyVersion):
                self.activations.put(at, model)
            self._newest[key] = at
            self.reference.put(model, value)
            self._refs.clear()

    def _withhold(self, place: Place, fault: str, names: frozenset[str], value: bytes) -> None:
        if place in self._resolved:
            return
        self.unreadable[place] = fault
        if not names:
            self.stray[place] = fault
        self._named[place] = names
        for name in names:
            self._withheld.setdefault(name, set()).add(place)
        if policies := frozenset(name.removeprefix(_POLICY) for name in names if name.startswith(_POLICY)):
            self.activations.bar(place[1:], policies, value)

    def _resolve(self, place: Place) -> None:
        self._resolved.add(place)
        if place[0] == "reference":
            self.activations.free(place[1:])
        self.unreadable.pop(place, None)
        self.stray.pop(place, None)
        for name in self._named.pop(place, ()):
            self._withheld[name].discard(place)
            if not self._withheld[name]:
                del self._withheld[name]


class Given(NamedTuple):
    """A token that a source gives for a contact point, or a reading of that one, with its score."""

    token: str
    point: str
    source: str
    score: int


_KINDS: Mapping[type, bytes] = {Consent: b"c", PersonEvent: b"e", Suppression: b"x", Ask: b"a", Release: b"r"}


@dataclass(frozen=True, slots=True)
class _Person:
    sources: tuple[Source, ...]
    consents: tuple[Consent, ...]
    events: tuple[PersonEvent, ...]
    asks: tuple[Ask, ...]
    releases: tuple[Release, ...]
    stops: tuple[bytes, ...]
    near: tuple[tuple[int, bytes], ...]
    tokens: tuple[Given, ...]
    exact: dict[str, int]
    less: dict[str, int]
    refs: tuple[str, ...]
    overfull: tuple[str, ...]
    source_lines: bytes
    consent_lines: bytes
    event_lines: bytes
    ask_lines: bytes
    release_lines: bytes


@lru_cache(maxsize=16384)
def _person(lines: bytes) -> _Person:
    kinds: dict[bytes, list[bytes]] = {kind: [] for kind in CAPS}
    for line in lines.split(b"\n") if lines else ():
        kinds[line[:1]].append(line[1:])
    overfull = [kind.decode() for kind, found in kinds.items() if _OVERFULL in found]
    clean = {kind: b"\n".join(line for line in found if line != _OVERFULL) for kind, found in kinds.items()}
    sources, consents, asks = known.sources(clean[b"s"]), known.consents(clean[b"c"]), known.asks(clean[b"a"])
    read = {source.source_id for source in sources}
    given = (_given(*line.decode().split(" ")) for line in clean[b"t"].splitlines())
    near = (line.partition(b" ") for line in clean[b"w"].splitlines())
    tokens = tuple(sorted((token for token in given if token.source in read), key=lambda one: one.score))
    return _Person(
        sources=sources,
        consents=consents,
        events=known.events(clean[b"e"]),
        asks=asks,
        releases=known.releases(clean[b"r"]),
        stops=tuple(clean[b"x"].splitlines()),
        near=tuple((int(score), line) for score, _, line in near),
        tokens=tokens,
        exact={one.token: CERTAIN for one in tokens if one.score == CERTAIN},
        less={one.token: one.score for one in tokens if one.score < CERTAIN},
        refs=tuple(sorted(_referred(sources, consents, asks))),
        overfull=tuple(f"too_many/{_TOO_MANY[kind]}" for kind in overfull),
        source_lines=clean[b"s"],
        consent_lines=clean[b"c"],
        event_lines=clean[b"e"],
        ask_lines=clean[b"a"],
        release_lines=clean[b"r"],
    )


def _covering(person: _Person, point: SendContactPoint, at: Identified | None) -> tuple[frozenset[str], dict[str, int]]:
    """Returns the sources that give the contact point just so, and those that give it near enough to ask, with scores.

    `at`: the address printed; of a send without one the token it names counts.
    """
    token, readings = at or (point.token, ())
    less = dict(readings)
    given_by: set[str] = set()
    near: dict[str, int] = {}
    for one in person.tokens:
        if one.point != point.id:
            continue
        score = one.score if one.token == token else less.get(one.token, 0) if one.score == CERTAIN else 0
        if score == CERTAIN:
            given_by.add(one.source)
        elif score:
            near[one.source] = max(score, near.get(one.source, 0))
    return frozenset(given_by), {source: score for source, score in near.items() if source not in given_by}


def _spellings(
    person: _Person, send: Send, at: Identified | None, near: Collection[str]
) -> tuple[dict[str, int], dict[str, int], set[str]]:
    """Returns the tokens that stops are looked up by, their readings, and which of them are of the send's own point."""
    point = send.contact_point
    tokens, readings = {**person.exact, point.token: CERTAIN}, dict(person.less)
    here = {point.token}
    if at:
        tokens[at.token] = CERTAIN
        here.add(at.token)
        for token, score in at.readings:
            readings[token] = max(score, readings.get(token, 0))
            here.add(token)
    for match in send.match:
        tokens[match.token] = max(match.score, tokens.get(match.token, 0))
        here.add(match.token)
    if near:
        here.update(one.token for one in person.tokens if one.point == point.id and one.source in near)
    return tokens, readings, here


def _given(token: str, point: str, source: str, score: str) -> Given:
    return Given(token, point, source, int(score))


def _joined(person: _Person, ask_lines: bytes, release_lines: bytes) -> _Person:
    """Returns the person with asks and releases from elsewhere beside those in the facts."""
    ask_lines = b"\n".join(sorted({*person.ask_lines.splitlines(), *ask_lines.splitlines()}))
    release_lines = b"\n".join(sorted({*person.release_lines.splitlines(), *release_lines.splitlines()}))
    asks = known.asks(ask_lines)
    return replace(
        person,
        asks=asks,
        releases=known.releases(release_lines),
        refs=tuple(sorted({*person.refs, *_referred((), (), asks)})),
        ask_lines=ask_lines,
        release_lines=release_lines,
    )


def _referred(sources: Collection[Source], consents: Collection[Consent], asks: Collection[Ask]) -> set[str]:
    """Returns the reference data that a person's facts name, each as kind/id."""
    notices = (*(source.notice_id for source in sources), *(event.notice_id for event in consents))
    found = {f"notice/{id_}" for id_ in notices if id_}
    found.update(f"batch/{source.batch_id}" for source in sources if source.batch_id)
    found.update(f"joint_use_terms/{source.terms_id}" for source in sources if source.terms_id)
    found.update(f"template/{ask.template_id}" for ask in asks)
    companies = {source.collected_by for source in sources} | {event.controller_id for event in consents}
    companies |= {source.succession.predecessor for source in sources if source.succession}
    companies |= {source.entrustment.entruster for source in sources if source.entrustment}
    found.update(f"controller/{id_}" for id_ in companies - {"*"})
    return found


_TOO_MANY = {
    "s": "sources",
    "t": "sources",
    "c": "consents",
    "e": "consents",
    "x": "suppressions",
    "w": "suppressions",
    "a": "confirmations",
    "r": "acts",
}


def _add(found: dict[str, bytes], name: str, lines: list[bytes]) -> None:
    had = found.get(name)
    if had is None and len(lines) == 1:
        found[name] = lines[0]
        return
    union = set(lines)
    if had is not None:
        union.update(had.split(b"\n"))
    for kind, cap in CAPS.items():
        if len(union) > cap or kind + _OVERFULL in union:
            of_kind = {line for line in union if line[:1] == kind}
            if len(of_kind) > cap or kind + _OVERFULL in of_kind:
                union = union - of_kind | {kind + _OVERFULL}
    found[name] = b"\n".join(sorted(union))


def _named(topic: str, key: bytes | None, value: bytes) -> frozenset[str]:
    """Returns whom an unreadable record names: by its key, and by every name found in its value."""
    names = set(_NAMES_SOMEBODY.findall(value))
    names.add(key or b"")
    try:
        read = orjson.loads(value)  # a name may be written with escapes
    except ValueError:
        read = None
    if isinstance(read, dict):
        names.update(str(read.get(name)).encode() for name in ("recipient_id", "token"))
        if topic == "reference" and (id_ := read.get("id") or read.get("terms_id")):
            names.add(f"{read.get('kind')}/{id_}".encode())
    texts = {name.decode("utf-8", "replace") for name in names}
    if topic == "reference":
        return frozenset(text for text in texts if _NAMES_REFERENCE.fullmatch(text))
    return frozenset(text for text in texts - {"None"} if _is_id(text))


def _is_id(text: str) -> bool:
    try:
        _ID.validate_python(text)
    except ValidationError:
        return False
    return True
