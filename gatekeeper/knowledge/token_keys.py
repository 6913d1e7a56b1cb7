"""The token keys that facts name (domain rule 7.4.17): tokens of two keys are never compared.

So a fact under another key than the printed address may be about it. A fact that is known under a later key too no
longer needs its earlier key.

A machine that imports may hold another key under the same number. So an import names its keys' fingerprints in a
header. A token under such a key is one of the key `t1x`, which nobody holds.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from gatekeeper.deciding.arrival import WILL_KINDS
from gatekeeper.deciding.facts import CERTAIN, WHOLE_BATCH
from gatekeeper.deciding.redacted import Token
from gatekeeper.deciding.rules.system import FOREIGN
from gatekeeper.ground.tables import SPOILT, Table
from gatekeeper.identity import Identified, key_of
from schemas.codec import Unreadable
from schemas.events import Send, Suppression
from schemas.events.sends import ADDRESSED
from schemas.record import Record
from schemas.values import TOKEN_PATTERN

Counts = tuple[tuple[str, int], ...]
"""Numbers of tokens by key, in the order of keys."""
HEADER = "gate-token-key"
"""The fingerprints of the keys that made a record's tokens, as `t1=FINGERPRINT,t1k2=FINGERPRINT`."""
_HEADER = re.compile(r"t[0-9k]{1,12}=[0-9a-f]{16}(,t[0-9k]{1,12}=[0-9a-f]{16}){0,15}")
SCOPES = 1000
"""Companies and groups that suppressions name, at most. One that names a further one counts as everybody's."""
PLACES = 16
"""Records of one suppression with tokens of other keys that can be passed. With more, none of them can."""
_PACK = msgspec.msgpack.Encoder()
_ASKED = 256  # combinations of keys whose faults are kept: a gate has few keys, and a send may name any
_TOKEN = re.compile(TOKEN_PATTERN)
_NUMBERS = re.compile(r"t(\d+)(?:k(\d+))?")
_GIVEN = re.compile(rb"(?m)^t([^ _]+)_[^ ]+ ([^ ]+ ([^ ]+)) %d (.*)$" % CERTAIN)


class SendAddress(NamedTuple):
    """The address of a send, by tokens: its own under each key, those of less exact readings, and the keys.

    `keys`: None if tokens under other keys say nothing about it: the gate makes no tokens for push and social.
    `matched`: the keys of further tokens that the send names (`match`), None without such tokens.
    """

    exact: Collection[str]
    readings: Mapping[str, int]
    keys: frozenset[str] | None
    matched: frozenset[str] | None = None


class StopScope(NamedTuple):
    """The company and the group whose sends a suppression may stop; without both, everybody's."""

    company: str = ""
    group: str = ""


EVERYBODY = StopScope()


class Lacking(NamedTuple):
    """A key of suppressions that cannot be compared, and the scope of such a one."""

    key: str
    scope: StopScope


class _Stop(NamedTuple):
    """A suppression: its tokens by key, its scope, its earliest arrival, and its places with tokens of other keys."""

    counts: Counts
    scope: StopScope
    since: int
    places: tuple[str, ...]


NO_STOP = _Stop((), EVERYBODY, 0, ())


class KeyUse(NamedTuple):
    """The suppressions and sources that are found by one token key alone, or by it and earlier ones."""

    key: str
    stops: int
    sources: int


def address_of(send: Send, printed: Identified | None) -> SendAddress:
    """The address of a send as it is printed; if it prints none, the token of its contact point counts."""
    matched = frozenset(key_of(match.token) for match in send.match) if send.match else None
    if printed:
        return SendAddress(printed.exact, dict(printed.readings), printed.keys, matched)
    token = send.contact_point.token
    if token is None:
        return SendAddress((), {}, None, matched)
    return SendAddress((token,), {}, frozenset((key_of(token),)) if send.channel in ADDRESSED else None, matched)


def scope_of(stop: Suppression) -> StopScope:
    """The scope of a suppression, as far as it names one company or group (rule 6.1)."""
    company, group = stop.scope.controller, stop.scope.group
    if stop.kind not in WILL_KINDS or "*" in (company, group):
        return EVERYBODY
    return StopScope(company or "", group or "")


class TokenKeys:
    """The token keys of all facts. The order of the calls does not matter.

    `stops`: holds the keys of each suppression's tokens, by its id. `places`: holds the ids of the stops that no key of
    ours can compare, by place. `ours`: the fingerprints of our keys, by name; without any, no place is kept.
    `alike`: the number of suppressions by these keys and their scope. `since`: the earliest arrival by scope.
    `sources`: the number of sources that hang on each key.
    """

    def __init__(self, stops: Table, places: Table, ours: Mapping[str, str]) -> None:
        self._stops, self._places, self.ours = stops, places, ours
        self.alike, self.sources = Counter[tuple[Counts, StopScope]](), Counter[str]()
        self.since: dict[StopScope, int] = {}
        self.passed = frozenset[str]()
        """Places of stops that two managers passed."""
        self._lacking: dict[tuple[frozenset[str] | None, frozenset[str] | None], frozenset[Lacking]] = {}  # by keys

    def begin(
        self, alike: Iterable[tuple[Counts, StopScope, int]], since: Mapping[StopScope, int], sources: Mapping[str, int]
    ) -> None:
        """Takes the numbers of an earlier store over the same tables."""
        self.alike.update({(counts, scope): n for counts, scope, n in alike})
        self.since.update(since)
        self.sources.update(sources)

    def stopped(
        self, record: Record, suppression_id: str, scope: StopScope, named: Collection[str], change: Mapping[str, int]
    ) -> None:
        """Takes in a record of a suppression. `named`: the keys of its tokens. `change`: how many more each has now."""
        if scope not in self.since and len(self.since) >= SCOPES:
            scope = EVERYBODY
        self.since[scope] = min(record.timestamp, self.since.get(scope, record.timestamp))
        before = self._stop(suppression_id)
        counts = Counter(dict(before.counts))
        for key, n in change.items():
            counts[key] += n
        place, places = f"{record.topic}/{record.partition}/{record.offset}", before.places
        if place not in places and self.ours and not self.ours.keys() >= set(named):
            places = tuple(sorted((*places, place))) if len(places) < PLACES else (*places[:PLACES], WHOLE_BATCH)
        after = _Stop(
            tuple(sorted((+counts).items(), key=lambda item: _order(item[0]))),
            scope if before in (NO_STOP, before._replace(scope=scope)) else EVERYBODY,
            min(record.timestamp, before.since) if before.since else record.timestamp,
            places,
        )
        if after != before:
            self._replace(suppression_id, before, after)

    def pass_over(self, place: str) -> None:
        """Lets the stop at a place withhold nobody, once two managers passed each of its places; now and later."""
        self.passed |= {place}
        if (id_ := self._places.get(place)) is not None and id_ != SPOILT:
            before = self._stop(id_.decode())
            self._replace(id_.decode(), before, before, passing=place)

    def given(self, before: bytes, after: bytes) -> None:
        """Takes in sources of a person, as the person's lines before and after."""
        for key, n in _sources_by_key(before).items() if before else ():
            self.sources[key] -= n
        for key, n in _sources_by_key(after).items():
            self.sources[key] += n

    def lacking(self, address: SendAddress) -> frozenset[Lacking]:
        """The keys of suppressions that cannot be compared with an address, each with the scope of such a one.

        A suppression that has as many tokens of one of the address's keys is compared by these.
        """
        asked = address.keys, address.matched
        lacking = self._lacking.get(asked)
        if lacking is None:
            held = [keys for keys in asked if keys is not None]
            lacking = frozenset(
                Lacking(key, scope)
                for counts, scope in self.alike
                for keys in held
                for key in uncompared(dict(counts), keys)
            )
            if len(self._lacking) < _ASKED:
                self._lacking[asked] = lacking
        return lacking

    @property
    def unmatched(self) -> frozenset[Lacking]:
        """The keys of suppressions that no key of ours can compare, each with the scope of such a one."""
        return self.lacking(SendAddress((), {}, frozenset(self.ours))) if self.ours else frozenset()

    def uses(self) -> list[KeyUse]:
        """The number of suppressions and sources that hang on each key, in the order of keys."""
        stops = Counter[str]()
        for (tokens, _), count in self.alike.items():
            stops.update(dict.fromkeys(_needed(dict(tokens)), count))
        keys = {key for key in (*stops, *self.sources) if stops[key] or self.sources[key]}
        return [KeyUse(key, stops[key], self.sources[key]) for key in sorted(keys, key=_order)]

    @property
    def stops_by_scope(self) -> list[tuple[StopScope, int]]:
        """The scopes of suppressions that no key of ours can compare, with the number of these."""
        every = [*self.alike.items()] if self.ours else []
        return [(scope, n) for (counts, scope), n in every if uncompared(dict(counts), self.ours)]

    def stops_unmatched(self) -> Iterator[tuple[str, _Stop]]:
        """Yields the suppressions that no key of ours can compare, by place."""
        for place, id_ in self._places.items():
            yield place, self._stop(id_.decode())

    def _stop(self, suppression_id: str) -> _Stop:
        row = self._stops.get(suppression_id)
        return msgspec.msgpack.decode(row, type=_Stop) if row and row != SPOILT else NO_STOP

    def _replace(self, suppression_id: str, before: _Stop, after: _Stop, *, passing: str = "") -> None:
        was, now = self._counted(before, self.passed - {passing}), self._counted(after, self.passed)
        self.alike[now, after.scope] += 1
        self.alike[was, before.scope] -= 1
        if self.alike[was, before.scope] <= 0:
            del self.alike[was, before.scope]
        self._lacking = {}
        self._stops[suppression_id] = _PACK.encode(after)
        lacks = uncompared(dict(now), self.ours)
        for place in after.places:
            if lacks and place not in self.passed and place != WHOLE_BATCH:
                self._places[place] = suppression_id.encode()
            else:
                self._places.pop(place, None)

    def _counted(self, stop: _Stop, passed: Collection[str]) -> Counts:
        """The tokens of a stop by key; only those of our keys once all its places are passed."""
        if stop.places and all(place in passed for place in stop.places):
            return tuple((key, n) for key, n in stop.counts if key in self.ours)
        return stop.counts


def uncompared(tokens: Mapping[str, int], held: Collection[str]) -> list[str]:
    """The keys under which a stop has more tokens than under any held one. `tokens`: their number by key."""
    most = max((n for key, n in tokens.items() if key in held), default=0)
    return sorted((key for key, n in tokens.items() if key not in held and n > most), key=_order)


def told_apart(record: Record, tokens: Sequence[Token], ours: Mapping[str, str]) -> Sequence[Token]:
    """The tokens of a record; those under another key than ours of the same name are renamed.

    `ours`: the fingerprints of our keys, by name; without any, each name is believed.
    Raises Unreadable for a header that names no fingerprints.
    """
    others = _others(record, ours)
    return [token._replace(token=twin_of(token.token)) if key_of(token.token) in others else token for token in tokens]


def names_token(names: Iterable[str]) -> bool:
    """True if one of the names in an unreadable record may be a token."""
    return any(_TOKEN.fullmatch(name) for name in names)


def names_foreign(record: Record, names: Iterable[str], ours: Mapping[str, str]) -> bool:
    """True if a name in an unreadable record may be a token that no key of ours can compare."""
    keys = {key_of(name) for name in names if _TOKEN.fullmatch(name)} if ours else set()
    try:
        return bool(keys and (keys - ours.keys() or keys & _others(record, ours)))
    except Unreadable:
        return True


def _others(record: Record, ours: Mapping[str, str]) -> set[str]:
    """The names of the record's keys that are other ones than ours."""
    if not any(name == HEADER for name, _ in record.headers):
        return set()
    header = record.header(HEADER)
    if not _HEADER.fullmatch(header):
        raise Unreadable("header_invalid", HEADER)
    prints = dict(part.split("=") for part in header.split(","))
    return {key for key, fingerprint in prints.items() if ours.get(key, fingerprint) != fingerprint}


def is_foreign(token: str) -> bool:
    """True if another key than ours of the same name made a token, as far as a header told."""
    return key_of(token).endswith(FOREIGN)


def twin_of(token: str) -> str:
    """The token of our key as one of another key of that name, and the other way round."""
    key, _, rest = token.partition("_")
    return f"{key.removesuffix(FOREIGN)}_{rest}" if key.endswith(FOREIGN) else f"{key}{FOREIGN}_{rest}"


def named_by(prints: Mapping[str, str]) -> tuple[tuple[str, bytes], ...]:
    """The header for records whose tokens these keys made."""
    return ((HEADER, ",".join(f"{name}={mark}" for name, mark in sorted(prints.items())).encode()),)


def _order(key: str) -> tuple[int, int]:
    match = _NUMBERS.fullmatch(key)
    return (int(match[1]), int(match[2] or 1)) if match else (0, 0)


def _needed(counts: Mapping[str, int]) -> list[str]:
    """The keys under which a fact has more tokens than under any later one."""
    ordered = sorted(counts, key=_order)
    return [key for n, key in enumerate(ordered) if all(counts[later] < counts[key] for later in ordered[n + 1 :])]


def _sources_by_key(lines: bytes) -> Mapping[str, int]:
    """The number of sources in a person's lines that hang on each key."""
    given = _GIVEN.findall(lines)
    if len(keys := {key for key, *_ in given}) == 1:  # as nearly everywhere
        return {keys.pop().decode(): len({source for _, _, source, _ in given})}
    counts: dict[tuple[bytes, bytes, bytes], Counter[str]] = defaultdict(Counter)
    for key, point, source, acquired in given:
        counts[point, source, acquired][key.decode()] += 1
    return Counter(key for key, _ in {(key, fact[1]) for fact, by_key in counts.items() for key in _needed(by_key)})


def comparable(keys: Collection[str], tokens: Iterable[str]) -> frozenset[str]:
    """The keys among those of these tokens, all of one fact, that are to be looked at.

    A key that is not among `keys` is left out if one of `keys` has as many tokens. So is an earlier key beside a later.
    """
    counts = Counter(map(key_of, tokens))
    best = max(counts, key=lambda key: (key in keys, _order(key)))
    return frozenset(key for key, n in counts.items() if key == best or n > counts[best])
