"""The facts of everybody, folded from events: the same for the same set of events, in whatever order and number.

A person is one bytes value of sorted, distinct lines: `s` a source, `t` a token that a source gave, `c` a consent
event, `e` a further event, `x` a suppression, `a` an ask, `r` a reviewer's release, each in its judged form
(gatekeeper.known). About 1 KB a person, nothing for the garbage collector to walk, and decoded only when judged.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError

from gatekeeper import known
from gatekeeper.activation import Activations
from gatekeeper.known import CERTAIN, Facts
from gatekeeper.reference import Reference, Referred, place_of
from schemas.codec import Unreadable, canonical, decode
from schemas.events import Ask, Consent, PersonEvent, PolicyVersion, Release, Resolution, Send, Source, Suppression
from schemas.topics import logical_name
from schemas.values import RecipientId

Place = tuple[str, int, int]
"""Topic (registry name), partition, offset."""

CAPS = {b"s": 64, b"t": 2048, b"c": 256, b"e": 256, b"x": 256, b"a": 256, b"r": 256}
"""How many lines of each kind count; of more none is kept, and the person is FACTS_UNAVAILABLE."""

_OVERFULL = b"!"
_POLICY = "policy/"
_ID = TypeAdapter(RecipientId)
_NAMES_SOMEBODY = re.compile(rb'"(?:recipient_id|token)"\s*:\s*"([A-Za-z0-9._:\-]{1,64})"')
_NAMES_REFERENCE = re.compile(r"[a-z_]{1,32}/[A-Za-z0-9._:\-]{1,64}")


class FactStore:
    """Everything known: `apply` takes a record of a fact topic in, `view` gives what bears on a send."""

    def __init__(self) -> None:
        self.reference = Reference()
        self.activations = Activations()
        self.unreadable: dict[Place, str] = {}
        """Records that could not be read and are not resolved, with their fault."""
        self.stray: dict[Place, str] = {}
        """Those of them that name nobody, and so can withhold nobody."""
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
        try:
            self._fold(topic, (partition, offset), decode(topic, key, value), value or b"")
            return None
        except Unreadable as unreadable:
            fault = str(unreadable)
        except Exception as error:  # a defect of ours must not stop the facts of everybody else
            fault = f"failed_{type(error).__name__}"
        self._withhold((topic, partition, offset), fault, _named(topic, key, value or b""), value or b"")
        return fault

    def view(self, send: Send) -> Facts:
        """Returns what is known that bears on `send`."""
        person = _person(self._people.get(send.recipient_id, b""))
        point = send.contact_point
        stops = dict.fromkeys(person.stops, CERTAIN)
        tokens = {point.token: CERTAIN}
        for match in send.match:
            tokens[match.token] = max(match.score, tokens.get(match.token, 0))
        given_by, here = set(), {point.token, *(match.token for match in send.match)}
        for token, point_id, source_id in person.tokens:
            tokens[token] = CERTAIN
            if token == point.token and point_id == point.id:
                given_by.add(source_id)
        unreadable, elsewhere = list(person.overfull), set[bytes]()
        for token, score in sorted(tokens.items(), key=lambda found: found[0] in here):
            if lines := self._by_token.get(token):
                stopped = _person(lines)
                unreadable += stopped.overfull
                for line in stopped.stops:
                    if token not in here and line not in stops:
                        elsewhere.add(line)
                    elif token in here:
                        elsewhere.discard(line)
                    stops[line] = max(score, stops.get(line, 0))
        if self._withheld:
            unreadable += self._unreadable_for(send, person, tokens)
        return Facts(
            sources=person.sources,
            consents=person.consents,
            suppressions=known.hits(stops, elsewhere) if stops else (),
            contact_point_from=frozenset(given_by),
            unreadable=tuple(sorted(set(unreadable))),
            snapshot=known.snapshot(
                source_lines=person.source_lines,
                consent_lines=person.consent_lines,
                stops=stops,
                contact_point_from=given_by,
                unreadable=sorted(set(unreadable)),
                refs=self._references(send, person.refs),
                elsewhere=elsewhere,
                event_lines=person.event_lines,
                ask_lines=person.ask_lines,
                release_lines=person.release_lines,
            ),
            events=person.events,
            asks=person.asks,
            releases=person.releases,
        )

    def _fold(self, topic: str, at: tuple[int, int], model: Any, value: bytes) -> None:
        if topic == "reference":
            self._refer(model, value, at)
            return
        line, tokens = known.judged(topic, value)
        if topic == "sources":
            lines = [b"s" + line]
            lines += [f"t{token} {point} {model.source_id}".encode() for token, point in tokens]
            _add(self._people, model.recipient_id, lines)
        elif topic == "suppressions" and model.recipient_id is None:
            _add(self._by_token, model.token, [b"x" + line])
        else:
            _add(self._people, model.recipient_id, [_KINDS[type(model)] + line])

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


_KINDS: Mapping[type, bytes] = {Consent: b"c", PersonEvent: b"e", Suppression: b"x", Ask: b"a", Release: b"r"}


@dataclass(frozen=True, slots=True)
class _Person:
    sources: tuple[Source, ...]
    consents: tuple[Consent, ...]
    events: tuple[PersonEvent, ...]
    asks: tuple[Ask, ...]
    releases: tuple[Release, ...]
    stops: tuple[bytes, ...]
    tokens: tuple[tuple[str, ...], ...]
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
    tokens = (tuple(line.decode().split(" ")) for line in clean[b"t"].splitlines())
    return _Person(
        sources=sources,
        consents=consents,
        events=known.events(clean[b"e"]),
        asks=asks,
        releases=known.releases(clean[b"r"]),
        stops=tuple(clean[b"x"].splitlines()),
        tokens=tuple(token for token in tokens if token[2] in read),
        refs=tuple(sorted(_referred(sources, consents, asks))),
        overfull=tuple(f"too_many/{_TOO_MANY[kind]}" for kind in overfull),
        source_lines=clean[b"s"],
        consent_lines=clean[b"c"],
        event_lines=clean[b"e"],
        ask_lines=clean[b"a"],
        release_lines=clean[b"r"],
    )


def _referred(sources: Iterable[Source], consents: Iterable[Consent], asks: Iterable[Ask]) -> set[str]:
    """Returns the reference data that a person's facts name, each as kind/id."""
    notices = (*(source.notice_id for source in sources), *(event.notice_id for event in consents))
    found = {f"notice/{id_}" for id_ in notices if id_}
    found.update(f"batch/{source.batch_id}" for source in sources if source.batch_id)
    found.update(f"joint_use_terms/{source.terms_id}" for source in sources if source.terms_id)
    found.update(f"template/{ask.template_id}" for ask in asks)
    return found


_TOO_MANY = {
    "s": "sources",
    "t": "sources",
    "c": "consents",
    "e": "consents",
    "x": "suppressions",
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
        if topic == "reference":
            names.add(f"{read.get('kind')}/{read.get('id')}".encode())
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
