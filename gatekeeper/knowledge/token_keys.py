"""The token keys that facts name (domain rule 7.4.17): tokens of two keys are never compared.

So a fact under another key than the printed address may be about it. A fact that is known under a later key too no
longer needs its earlier key.

A machine that imports may hold another key under the same number. So an import names its keys' fingerprints in a
header. A token under such a key is one of the key `t1x`, which nobody holds.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from gatekeeper.deciding.facts import CERTAIN, WHOLE_BATCH
from gatekeeper.deciding.redacted import Token
from gatekeeper.deciding.rules.system import FOREIGN, TOKEN_KEY
from gatekeeper.identity import Identified, key_of
from gatekeeper.tables import SPOILT, Table
from schemas.codec import Unreadable
from schemas.events import Send
from schemas.events.sends import ADDRESSED
from schemas.record import Record

Counts = tuple[tuple[str, int], ...]
"""Numbers of tokens by key, in the order of keys."""
HEADER = "gate-token-key"
"""The fingerprints of the keys that made a record's tokens, as `t1=FINGERPRINT,t1k2=FINGERPRINT`."""
_HEADER = re.compile(r"t[0-9k]{1,12}=[0-9a-f]{16}(,t[0-9k]{1,12}=[0-9a-f]{16}){0,15}")
_ASKED = 256  # combinations of keys whose faults are kept: a gate has few keys, and a send may name any
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


class TokenKeys:
    """The token keys of all facts. The order of the calls does not matter.

    `stops`: holds the keys of each suppression's tokens, by its id. `alike`: the number of suppressions by these keys.
    `sources`: the number of sources that hang on each key.
    """

    def __init__(self, stops: Table) -> None:
        self._stops = stops
        self.alike, self.sources = Counter[Counts](), Counter[str]()
        self._lacking: dict[tuple[frozenset[str] | None, frozenset[str] | None], list[str]] = {}  # by keys

    def begin(self, alike: Mapping[Counts, int], sources: Mapping[str, int]) -> None:
        """Takes the numbers of an earlier store over the same table."""
        self.alike.update(alike)
        self.sources.update(sources)

    def stopped(self, suppression_id: str, token: str, *, by: int = 1) -> None:
        """Takes in a token of a suppression that was not known for it; `by` -1 takes it out again."""
        before = _read(self._stops.get(suppression_id))
        counts = Counter(dict(before))
        counts[key_of(token)] += by
        counts = +counts
        after = tuple(sorted(counts.items(), key=lambda item: _order(item[0])))
        self.alike[after] += 1
        self.alike[before] -= 1
        if self.alike[before] <= 0:
            del self.alike[before]
        if self._lacking:
            self._lacking = {}
        self._stops[suppression_id] = " ".join(f"{key}:{n}" for key, n in after).encode()

    def given(self, before: bytes, after: bytes) -> None:
        """Takes in sources of a person, as the person's lines before and after."""
        for key, n in _sources_by_key(before).items() if before else ():
            self.sources[key] -= n
        for key, n in _sources_by_key(after).items():
            self.sources[key] += n

    def lacking(self, address: SendAddress) -> list[str]:
        """The keys of suppressions that cannot be compared with an address, as faults of everybody's facts.

        A suppression that has as many tokens of one of the address's keys is compared by these.
        """
        asked = address.keys, address.matched
        if asked in self._lacking:
            return self._lacking[asked]
        found = set[str]()
        for keys in asked:
            for tokens in self.alike if keys is not None else ():
                most = max((n for key, n in tokens if key in (keys or ())), default=0)
                found.update(key for key, n in tokens if key not in (keys or ()) and n > most)
        faults = [f"{TOKEN_KEY}{key}/{WHOLE_BATCH}" for key in sorted(found, key=_order)]
        if len(self._lacking) < _ASKED:
            self._lacking[asked] = faults
        return faults

    def uses(self) -> list[KeyUse]:
        """The number of suppressions and sources that hang on each key, in the order of keys."""
        stops = Counter[str]()
        for tokens, count in self.alike.items():
            stops.update(dict.fromkeys(_needed(dict(tokens)), count))
        keys = {key for key in (*stops, *self.sources) if stops[key] or self.sources[key]}
        return [KeyUse(key, stops[key], self.sources[key]) for key in sorted(keys, key=_order)]


def told_apart(record: Record, tokens: Sequence[Token], ours: Mapping[str, str]) -> Sequence[Token]:
    """The tokens of a record; those under another key than ours of the same name are renamed.

    `ours`: the fingerprints of our keys, by name; without any, each name is believed.
    Raises Unreadable for a header that names no fingerprints.
    """
    if not any(name == HEADER for name, _ in record.headers):
        return tokens
    said = record.header(HEADER)
    if not _HEADER.fullmatch(said):
        raise Unreadable("header_invalid", HEADER)
    prints = dict(one.split("=") for one in said.split(","))
    others = {key for key, found in prints.items() if ours.get(key, found) != found}
    return [one._replace(token=twin_of(one.token)) if key_of(one.token) in others else one for one in tokens]


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


def _read(counts: bytes | None) -> Counts:
    """The counts as `stopped` writes them; none where nothing is known."""
    if not counts or counts == SPOILT:
        return ()
    return tuple((key, int(n)) for key, _, n in (one.partition(":") for one in counts.decode().split(" ")))


def _order(key: str) -> tuple[int, int]:
    found = _NUMBERS.fullmatch(key)
    return (int(found[1]), int(found[2] or 1)) if found else (0, 0)


def _needed(counts: Mapping[str, int]) -> list[str]:
    """The keys under which a fact has more tokens than under any later one."""
    ordered = sorted(counts, key=_order)
    return [key for n, key in enumerate(ordered) if all(counts[later] < counts[key] for later in ordered[n + 1 :])]


def _sources_by_key(lines: bytes) -> Mapping[str, int]:
    """The number of sources in a person's lines that hang on each key."""
    found = _GIVEN.findall(lines)
    if len(keys := {key for key, *_ in found}) == 1:  # as nearly everywhere
        return {keys.pop().decode(): len({source for _, _, source, _ in found})}
    counts: dict[tuple[bytes, bytes, bytes], Counter[str]] = defaultdict(Counter)
    for key, place, source, acquired in found:
        counts[place, source, acquired][key.decode()] += 1
    return Counter(key for key, _ in {(key, place[1]) for place, found in counts.items() for key in _needed(found)})


def comparable(keys: Collection[str], tokens: Iterable[str]) -> frozenset[str]:
    """The keys among those of these tokens, all of one fact, that are to be looked at.

    A key that is not among `keys` is left out if one of `keys` has as many tokens. So is an earlier key beside a later.
    """
    counts = Counter(map(key_of, tokens))
    best = max(counts, key=lambda key: (key in keys, _order(key)))
    return frozenset(key for key, n in counts.items() if key == best or n > counts[best])
