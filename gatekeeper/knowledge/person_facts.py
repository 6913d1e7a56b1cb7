"""The facts of one person, as a value of lines: sorted, distinct, the same for the same set of events.

A line is its kind and the redacted form of an event (gatekeeper.deciding.redacted). The kinds of a person are

* `s`: a source, `t`: a token that a source names, `b`: a birth date that a source states
* `c`: a consent event, `e`: another event
* `x`: a suppression, `a`: an ask, `r`: a reviewer's release

The kinds of a token are

* `x`: a suppression that names it, `w`: one of a more exact token
* `v`: one of a wide row that may mean it
* `n`: a person whose source names it, and whose no may bind other ids

A person takes about 1 KB, adds no work for the garbage collector, and is decoded only when judged.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

import msgspec

from gatekeeper.deciding import arrival, redacted
from gatekeeper.deciding.chains import names_of
from gatekeeper.deciding.facts import CERTAIN, SPOILT_FACTS, HeldConsent, HeldEvent, HeldRelease
from gatekeeper.deciding.reference import Reference
from gatekeeper.ground.tables import SPOILT, Table
from gatekeeper.identity import Identified
from gatekeeper.knowledge.address_numbers import Given, known_as
from gatekeeper.knowledge.ages import Birth
from gatekeeper.knowledge.token_keys import SendAddress
from schemas.events import (
    Ask,
    Consent,
    PersonEvent,
    Send,
    SendContactPoint,
    Source,
    Suppression,
)

CAPS = {
    b"s": 64,
    b"t": 4096,
    b"b": 64,
    b"c": 256,
    b"e": 256,
    b"x": 256,
    b"w": 256,
    b"v": 256,
    b"n": 256,
    b"a": 256,
    b"r": 256,
}
"""Lines of each kind that count, at most. Beyond that none is kept, and the person is FACTS_UNAVAILABLE."""
WORD = re.compile(rb"(?m)^[a-z]|[A-Za-z0-9._:\-]+")
"""An id or token in the lines of a person, or a line's kind, which directly precedes it."""
_OVERFULL = b"!"
_NO_STATES = (b'"state":"Withdrawn"', b'"state":"Refused"')
_TOKENLESS = re.compile(rb'(?m)^(?:x(?!.*"kind":"undeliverable")|c.*"state":"(?:Withdrawn|Refused)")')
_AGAINST = re.compile(rb'(?m)^[xwvn]|"state":"(?!Given"|RenewedGiven"|active")')
KINDS: Mapping[type, bytes] = {Consent: b"c", PersonEvent: b"e", Suppression: b"x", Ask: b"a", HeldRelease: b"r"}
"""The kind of line for each class of event that becomes one line."""
_TOO_MANY = {
    "s": "sources",
    "t": "sources",
    "b": "sources",
    "c": "consents",
    "e": "consents",
    "x": "suppressions",
    "w": "suppressions",
    "v": "suppressions",
    "n": "suppressions",
    "a": "confirmations",
    "r": "acts",
}


class PersonFacts(msgspec.Struct, frozen=True):
    """The decoded lines of a person, or of a token.

    `stops`, `near`: suppressions in their redacted form; a suppression in `near` names only a reading, with its score
    (per mille). `wide`: those of `near` that stand for a wide row.
    `exact`, `less`: scores by token, of the tokens that sources name and of readings of these.
    `linked`: the people whose nos may bind whoever has the token.
    `given`: all tokens, those of deleted sources too.
    `known_as`: the token of each contact point. None if a contact point has several tokens, or a token several contact
    points. `points`, `deleted`: as in `deciding.facts.KnownSources`.
    `refs`: the reference data that the lines name, as kind/id. `overfull`: the faults of kinds with too many lines.
    `source_lines` and so on: the redacted forms, one per line.
    """

    sources: tuple[Source, ...]
    deleted: tuple[Source, ...]
    consents: tuple[HeldConsent, ...]
    events: tuple[HeldEvent, ...]
    asks: tuple[Ask, ...]
    releases: tuple[HeldRelease, ...]
    stops: tuple[bytes, ...]
    near: tuple[tuple[int, bytes], ...]
    wide: tuple[tuple[int, bytes], ...]
    linked: tuple[str, ...]
    tokens: tuple[Given, ...]
    births: tuple[Birth, ...]
    given: tuple[Given, ...]
    known_as: Mapping[str, str] | None
    points: Mapping[str, tuple[str | None, ...]]
    exact: dict[str, int]
    less: dict[str, int]
    refs: tuple[str, ...]
    overfull: tuple[str, ...]
    source_lines: bytes
    consent_lines: bytes
    event_lines: bytes
    ask_lines: bytes
    release_lines: bytes


def person_of(lines: bytes) -> PersonFacts:
    """Decodes the lines of a person or a token; no lines at all mean that nothing is known.

    Spoilt lines have the fault `spoilt/facts`, and nothing else is known.
    """
    if lines == SPOILT:
        return msgspec.structs.replace(person_of(b""), overfull=(SPOILT_FACTS,))
    kinds: dict[bytes, list[bytes]] = {kind: [] for kind in CAPS}
    for line in lines.split(b"\n") if lines else ():
        kinds[line[:1]].append(line[1:])
    overfull = [kind.decode() for kind, of_kind in kinds.items() if _OVERFULL in of_kind]
    clean = {kind: b"\n".join(line for line in of_kind if line != _OVERFULL) for kind, of_kind in kinds.items()}
    (sources, points, deleted), consents = redacted.sources(clean[b"s"]), redacted.consents(clean[b"c"])
    asks = redacted.asks(clean[b"a"])
    read = {source.source_id for source in sources}
    given = [Given.read(line) for line in clean[b"t"].splitlines()]
    near, wide = _scored(clean[b"w"]), _scored(clean[b"v"])
    births = (Birth(*line.decode().split(" ")) for line in clean[b"b"].splitlines())
    named = (naming for naming in given if naming.source in read and naming.score != redacted.BESIDE)
    tokens = tuple(sorted(named, key=lambda naming: naming.score))
    return PersonFacts(
        sources=sources,
        deleted=deleted,
        consents=consents,
        events=redacted.events(clean[b"e"]),
        asks=asks,
        releases=redacted.releases(clean[b"r"]),
        stops=tuple(clean[b"x"].splitlines()),
        near=near + wide,
        wide=wide,
        linked=tuple(line.decode() for line in clean[b"n"].splitlines()),
        tokens=tokens,
        births=tuple(birth for birth in births if birth.source in read),
        given=tuple(given),
        known_as=known_as(given),
        points=points,
        exact={naming.token: CERTAIN for naming in tokens if naming.score == CERTAIN},
        less={naming.token: naming.score for naming in tokens if naming.score < CERTAIN},
        refs=tuple(sorted(_referred(sources, consents, asks))),
        overfull=tuple(f"too_many/{_TOO_MANY[kind]}" for kind in overfull),
        source_lines=clean[b"s"],
        consent_lines=clean[b"c"],
        event_lines=clean[b"e"],
        ask_lines=clean[b"a"],
        release_lines=clean[b"r"],
    )


def _scored(lines: bytes) -> tuple[tuple[int, bytes], ...]:
    return tuple((int(score), line) for score, _, line in (line.partition(b" ") for line in lines.splitlines()))


def speaks_against(lines: bytes) -> bool:
    """Tells whether lines hold a suppression, a consent event that is no yes, or a source that is not active."""
    return _AGAINST.search(lines) is not None


def says_no(lines: bytes) -> bool:
    """Tells whether lines of a person hold a no that may bind other ids, or too many lines."""
    if lines.startswith(b"x") or b"\nx" in lines or lines.endswith(b"!") or b"!\n" in lines:
        return True
    return any(state in lines for state in _NO_STATES)


def is_tokenless(lines: bytes) -> bool:
    """Tells whether lines of a person hold a no that may bind other ids, and no token of a source."""
    return says_no(lines) and b"\nt" not in lines and _TOKENLESS.search(lines) is not None


def weight(lines: bytes, _: PersonFacts) -> int:
    """The bytes that decoded lines take in memory, as an estimate: for a person of the demo 5 % too high."""
    return 1000 + 5 * len(lines)


def covering(person: PersonFacts, point: SendContactPoint, at: SendAddress) -> tuple[frozenset[str], dict[str, int]]:
    """The sources that name exactly this contact point, under any id, and those that name a similar one, with scores.

    `at`: the send's address.
    """
    if not at.exact:
        return frozenset(), {}
    given_by: set[str] = set()
    near: dict[str, int] = {}
    for naming in person.tokens:
        if naming.point != point.id and naming.token not in at.exact:
            continue
        whole = naming.score == CERTAIN
        score = naming.score if naming.token in at.exact else at.readings.get(naming.token, 0) if whole else 0
        if score == CERTAIN:
            given_by.add(naming.source)
        elif score:
            near[naming.source] = max(score, near.get(naming.source, 0))
    return frozenset(given_by), {source: score for source, score in near.items() if source not in given_by}


def spellings(
    person: PersonFacts, send: Send, at: Identified | None, near: Collection[str]
) -> tuple[dict[str, int], dict[str, int], set[str]]:
    """The tokens for the look-up of stops, their readings, and the tokens of the send's own contact point."""
    point = send.contact_point
    tokens, readings, here = dict(person.exact), dict(person.less), set[str]()
    if point.token:
        tokens[point.token] = CERTAIN
        here.add(point.token)
    if at:
        tokens.update(dict.fromkeys(at.exact, CERTAIN))
        here.update(at.exact)
        for token, score in (*at.readings, *at.others, *at.places, *at.further):
            scores = tokens if score == CERTAIN else readings
            scores[token] = max(score, scores.get(token, 0))
            here.add(token)
    for match in send.match:
        tokens[match.token] = max(match.score, tokens.get(match.token, 0))
        here.add(match.token)
    if near:
        here.update(naming.token for naming in person.tokens if naming.point == point.id and naming.source in near)
    return tokens, readings, here


def joined(person: PersonFacts, ask_lines: bytes, release_lines: bytes) -> PersonFacts:
    """The person with further asks and releases, in their redacted forms, added to those in the facts."""
    ask_lines = b"\n".join(sorted({*person.ask_lines.splitlines(), *ask_lines.splitlines()}))
    release_lines = b"\n".join(sorted({*person.release_lines.splitlines(), *release_lines.splitlines()}))
    asks = redacted.asks(ask_lines)
    return msgspec.structs.replace(
        person,
        asks=asks,
        releases=redacted.releases(release_lines),
        refs=tuple(sorted({*person.refs, *_referred((), (), asks)})),
        ask_lines=ask_lines,
        release_lines=release_lines,
    )


def accounted_for(person: PersonFacts, reference: Reference) -> frozenset[str]:
    """The tokens of what may be printed beside an address (rule 7.4.19).

    A source that is quarantined, illicit or of such a list accounts for nothing.
    """
    lists = ((source, reference.batch(source.batch_id) if source.batch_id else None) for source in person.sources)
    unfit = {
        source.source_id
        for source, batch in lists
        if source.state != "active" or (batch and (batch.flags or batch.state == "quarantined"))
    }
    read = {source.source_id for source in person.sources} - unfit
    return frozenset(
        naming.token for naming in person.given if naming.score == redacted.BESIDE and naming.source in read
    )


def _referred(sources: Collection[Source], consents: Collection[Consent], asks: Collection[Ask]) -> set[str]:
    """The reference data that a person's facts name, as kind/id."""
    notices = (*(source.notice_id for source in sources), *(event.notice_id for event in consents))
    names = {f"notice/{id_}" for id_ in notices if id_}
    names.update(f"batch/{source.batch_id}" for source in sources if source.batch_id)
    names.update(f"joint_use_terms/{source.terms_id}" for source in sources if source.terms_id)
    names.update(f"template/{ask.template_id}" for ask in asks)
    names.update(names_of(source.check for source in sources if source.check))
    companies = {source.collected_by for source in sources} | {event.controller_id for event in consents}
    companies |= {source.succession.predecessor for source in sources if source.succession}
    companies |= {source.entrustment.entruster for source in sources if source.entrustment}
    names.update(f"controller/{id_}" for id_ in companies - {"*"})
    return names


def add(table: Table, name: str, lines: list[bytes]) -> bytes:
    """Adds lines to those in `table` under a name, a recipient id or a token; CAPS apply. The result is those before.

    Of several copies of an event the earliest arrival holds. Spoilt lines stay spoilt.
    """
    had = table.get(name)
    if had == SPOILT:
        return had
    if had is None and len(lines) == 1:
        table[name] = lines[0]
        return b""
    union = set(lines)
    if had is not None:
        union.update(had.split(b"\n"))
    union = arrival.earliest(union)
    for kind, cap in CAPS.items():
        if len(union) > cap or kind + _OVERFULL in union:
            of_kind = {line for line in union if line[:1] == kind}
            if len(of_kind) > cap or kind + _OVERFULL in of_kind:
                union = union - of_kind | {kind + _OVERFULL}
    table[name] = b"\n".join(sorted(union))
    return had or b""
