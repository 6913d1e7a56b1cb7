"""Tokens: pseudonyms of contact values, so that no fact holds the value itself."""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Container, Mapping, Sequence
from functools import lru_cache
from hmac import digest
from itertools import chain
from typing import NamedTuple, cast

from gatekeeper.ground.cache import MEGABYTE, Cache
from gatekeeper.ground.mac import KEY_BYTES, begun, ended, fingerprint
from gatekeeper.identity.address_segments import Piece, accounted, pieces_of
from gatekeeper.identity.alternative_readings import addressed, further, hosts
from gatekeeper.identity.beside import MOST, besides
from gatekeeper.identity.contact import normalise_email, normalise_phone
from gatekeeper.identity.flaw import Flaw, flaw
from gatekeeper.identity.further_lines import further_lines
from gatekeeper.identity.match import readings
from gatekeeper.identity.name_forms import name_forms
from gatekeeper.identity.normalised import Spelled
from gatekeeper.identity.postal import Postal, normalise_postal, postal, postal_of
from gatekeeper.identity.printed_names import PrintedName, printed_names
from schemas.audit import Printing
from schemas.events import Delivery
from schemas.events.sends import WRITTEN
from schemas.plain_send import PlainDelivery
from schemas.values import Channel

VERSION = 1
"""Version of the normaliser. Tokens of two versions never match.

An old version must stay as long as suppressions made with it are in use.
"""

_URL_SAFE = bytes.maketrans(b"+/", b"-_")
SPELLINGS = 128 * MEGABYTE
"""Memory for the spellings seen last: about 100,000 of the demo's."""
OTHERS = 128
"""Other names and addresses that are looked up for one printed address, with their readings, at most."""
_READ = 4  # of these, the likeliest are also read less exactly
_FORMED = 8  # further names of which parts are looked up, too, as of the first name
ANYBODY = "だれでも"
"""In place of the name, for an address without one."""
SURE = 1000
"""The score of a token that stands for the same value, under whichever key."""
HOST = 800
"""The score of a stop of the host (様方, 気付), who is not the recipient. A person should look."""


def token(key: bytes, value: str, number: int = 1) -> str:
    """`t1_` + base64url(HMAC-SHA256(key, normalised value)) without padding; `t1k2_` for key 2 (rule 7.4.17).

    `number`: the number of the key, from 1 on.
    Raises ValueError for a key that is not 32 bytes, and for an empty value. All people without an address would
    share one token.
    """
    if len(key) != KEY_BYTES:
        raise ValueError(f"a token key has {KEY_BYTES} bytes")
    if not value:
        raise ValueError("nothing has no token")
    inner, outer = _begun(key)
    digest = ended(inner.copy(), outer.copy(), value.encode("utf-8", "surrogatepass")).digest()
    return f"{_named(number)}_" + b2a_base64(digest, newline=False).translate(_URL_SAFE, b"=").decode("ascii")


_begun = lru_cache(maxsize=64)(begun)


def key_of(token: str) -> str:
    """The normaliser and key that made a token, `t1` or `t1k2`. Tokens of two of them are never compared."""
    return token.partition("_")[0]


def _named(number: int) -> str:
    return f"t{VERSION}" if number == 1 else f"t{VERSION}k{number}"


def normalise(channel: Channel, delivery: Delivery) -> str:
    """The normalised contact value that `channel` needs from `delivery`; "" if it is missing or unreadable.

    Postal and visit: name and address. E-mail: the mailbox. Telephone, SMS and fax: the number.
    Push and social have no contact value in a delivery.
    """
    match channel:
        case "postal" | "visit":
            return normalise_postal(delivery)
        case "email":
            return normalise_email(delivery.email or "")
        case "phone" | "sms" | "fax":
            return normalise_phone(delivery.phone or "")
        case _:
            return ""


class Identified(NamedTuple):
    """Tokens of a contact value under every key of the gate: its own, and those of its less exact readings.

    A less exact record matches a reading of the value. A more exact record matches by its own readings, which it must
    carry (`SourceContactPoint.readings`, `Suppression.readings`).
    """

    token: str
    """Its token under the key in use, the one with the highest number."""
    readings: tuple[tuple[str, int], ...] = ()
    """Pairs of token and score, highest score first, per mille below 1000; at most READINGS a key."""
    others: tuple[tuple[str, int], ...] = ()
    """The same of other names and addresses that can be read from the lines; at most OTHERS a key."""
    accounted: bool = True
    """False if more is printed than one name and one address (domain rule 7.4.19), or than sources give (`by`)."""
    same: tuple[str, ...] = ()
    """Its tokens under the other keys."""
    places: tuple[tuple[str, int], ...] = ()
    """Pairs of token and score of the address without a name, and of its less exact readings (domain rule 8.1.38)."""
    further: tuple[tuple[str, int], ...] = ()
    """Pairs of token and score of further names, which find stops alone (rule 8.1.37)."""
    beside: tuple[tuple[str, ...], ...] = ()
    """Of each text beside person and house number, its tokens under all keys. A source must name one of them."""
    text: str = ""
    """Keyed hash of all that is printed, under the key in use; `p` stands before it. No address has it as its token."""
    named: tuple[tuple[str, int], ...] = ()
    """Of tokens of another name than the first, the place of that name as of `PrintedName.nth` (domain rule 8.2.44)."""
    lines: tuple[tuple[str, ...], ...] = ()
    """Keyed hashes of all text beside name and address, then those of each line that a source may account for.

    One of the staff may accept the first (domain rule 8.3.54). () if it may hold another address.
    """

    @property
    def given(self) -> tuple[str, ...]:
        """The hashes of lines that a source of this address writes."""
        return tuple(chain(*self.lines[1:]))

    @property
    def remembered(self) -> Identified:
        """The same as a clearance keeps it: of further names with those alone that surely mean the person."""
        further = tuple(pair for pair in self.further if pair[1] == SURE)
        kept = {*dict(self.others), *dict(further)}
        return self._replace(further=further, named=tuple(pair for pair in self.named if pair[0] in kept))

    @property
    def exact(self) -> frozenset[str]:
        """Its tokens under all keys."""
        return frozenset((self.token, *self.same))

    @property
    def keys(self) -> frozenset[str]:
        """The keys under which it has tokens, each as in `key_of`."""
        return frozenset(map(key_of, self.exact))

    def by(self, sources: Container[str]) -> Identified:
        """The same, unaccounted for if it has a text beside person and house number that `sources` do not name."""
        given = all(any(token in sources for token in tokens) for tokens in self.beside)
        return self if given else self._replace(accounted=False, lines=self.lines[:1])

    @property
    def unaccounted(self) -> str | None:
        """The keyed hash of what is printed, if it is unaccounted for."""
        return None if self.accounted or not self.text else self.text

    def is_like(self, other: Identified) -> bool:
        """True if the same was printed, as far as the keys of both tell."""
        keys, texts = self.keys & other.keys, {self.text, other.text} - {""}
        mine, theirs = (
            {token for token in (*side.exact, *dict(side.others), *chain(*side.beside)) if key_of(token) in keys}
            for side in (self, other)
        )
        differs = len(texts) > len({key_of(text) for text in texts})  # two hashes under one key
        return bool(keys) and (mine, self.accounted) == (theirs, other.accounted) and not differs

    @property
    def printing(self) -> Printing:
        """The word for it in a snapshot."""
        return "tokenised" if self.accounted else "unaccounted"


def identify(keys: Mapping[int, bytes], channel: Channel, delivery: Delivery) -> Identified | None:
    """The tokens of `delivery` on `channel`; None if its contact value is missing or unreadable.

    `keys`: the token keys by number, at least one.
    None never matches: the printed address cannot be bound to a contact point, so the send must not pass.
    """
    if channel not in WRITTEN:
        value = normalise(channel, delivery)
        return _identified(keys, value, {}, {}, whole=True) if value else None
    spelled = Spelled.of(delivery)
    pieces = pieces_of(spelled)
    whole = _whole(delivery, spelled, pieces)
    if whole is None:
        return None
    value, more = str(whole), besides(whole, pieces)
    read = printed_names(spelled.name, [piece.text for piece in pieces if piece.kind == "further"])
    lines = further_lines(whole, pieces)
    names = read or ()
    others, nth = _others(delivery, pieces, whole, names)
    fits = read is not None and len(more) <= MOST and not (names and len(others) >= OTHERS)
    complete = accounted(pieces) and fits
    less = dict(list(others.items())[:OTHERS])
    forms = _forms(whole, spelled.name, names, nth)
    identified = _identified(
        keys, value, readings(whole), less, more, place=whole.nameless, names=forms, nth=nth, whole=complete
    )
    if complete and not more:
        return identified
    text = "\n".join(("printed", delivery.name or "", delivery.postcode or "", *delivery.lines))
    identified = identified._replace(text=_printed(keys, text)[0])
    return identified._replace(lines=tuple(_printed(keys, line) for line in lines)) if fits else identified


def _printed(keys: Mapping[int, bytes], text: str) -> tuple[str, ...]:
    """The keyed hashes of printed text under all keys, that in use first. No token equals one."""
    return tuple("p" + token(keys[number], text, number)[1:] for number in sorted(keys, reverse=True))


def whole_address(keys: Mapping[int, bytes], delivery: Delivery) -> Identified | None:
    """The tokens of the address of `delivery` without its name; None if it is missing or unreadable."""
    written = cast("Delivery", PlainDelivery(ANYBODY, delivery.postcode, delivery.lines, None, None))
    spelled = Spelled.of(written)
    pieces = pieces_of(spelled)
    whole = _whole(written, spelled, pieces)
    if whole is None:
        return None
    place = whole.nameless
    return _identified(keys, str(place), readings(place), {}, whole=accounted(pieces))


def written_as(delivery: Delivery) -> Postal | None:
    """The name and address behind the token of `delivery`; None if either is missing or unreadable."""
    spelled = Spelled.of(delivery)
    return _whole(delivery, spelled, pieces_of(spelled))


def _whole(delivery: Delivery, spelled: Spelled, pieces: Sequence[Piece]) -> Postal | None:
    """The name and address of a delivery, without further text if that leaves an address. `pieces`: its own."""
    meant = addressed(delivery, pieces)
    return (postal(meant) if meant is not delivery else None) or postal_of(spelled)


def _identified(
    keys: Mapping[int, bytes],
    value: str,
    less: Mapping[str, int],
    others: Mapping[str, int],
    more: Sequence[str] = (),
    *,
    place: Postal | None = None,
    names: Mapping[str, int] | None = None,
    nth: Mapping[str, int] | None = None,
    whole: bool,
) -> Identified:
    newest, *former = sorted(keys, reverse=True)

    def tokens(scores: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
        return tuple((token(keys[n], text, n), score) for text, score in scores.items() for n in (newest, *former))

    same = tuple(token(keys[n], value, n) for n in former)
    beside = tuple(tuple(token(keys[n], text, n) for n in (newest, *former)) for text in more[:MOST])
    places = tokens({str(place): SURE, **readings(place)}) if place is not None else ()
    newest_token, further, named = token(keys[newest], value, newest), tokens(names or {}), tokens(nth or {})
    return Identified(newest_token, tokens(less), tokens(others), whole, same, places, further, beside, named=named)


def _others(
    delivery: Delivery, parts: Sequence[Piece], whole: Postal, names: Sequence[PrintedName]
) -> tuple[dict[str, int], dict[str, int]]:
    """The normalised values of other names and addresses in `delivery` with their scores, whole ones first.

    Of those with another name than the first, the places of these among the `names` printed.
    """
    own = {str(whole), *readings(whole)}
    at_home = {name: whole._replace(name=name.name) for name in names}
    nth = {str(person): name.nth for name, person in at_home.items()}
    scores = dict.fromkeys(nth, SURE)
    likely = [value for value in map(normalise_postal, further(delivery, parts)) if value]
    scores.update(dict.fromkeys(likely, SURE))
    likely = [*dict.fromkeys(likely)][:_READ]
    for name, person in at_home.items():
        if name.likely:
            likely.append(str(person))
            for less in readings(person):
                nth.setdefault(less, name.nth)
    for value in likely if len(scores) < OTHERS else ():
        for less, score in readings(Postal.of(value)).items():
            scores.setdefault(less, score)
    last = max((name.nth for name in names), default=1)
    for place, host in enumerate(filter(None, map(normalise_postal, hosts(delivery, parts))), last + 1):
        scores.setdefault(host, HOST)
        nth.setdefault(host, place)
    scores.pop(str(whole), None)
    return scores, {value: place for value, place in nth.items() if value not in own}


def _forms(whole: Postal, written: str, names: Sequence[PrintedName], nth: dict[str, int]) -> dict[str, int]:
    """The values of the forms in which lists may write the names (rule 8.1.37), with their scores.

    `written`: the name in one form. `nth`: takes the places of further names.
    """
    at = str(whole).removeprefix(whole.name)
    forms = {f"{form}{at}": score for form, score in name_forms(whole.name, written).items()}
    for index, name in enumerate(names if len(names) < OTHERS else ()):
        for form, score in name_forms(name.name, name.name).items():
            if (score == SURE or (name.likely and index < _FORMED)) and f"{form}{at}" not in forms:
                forms[f"{form}{at}"] = score
                nth.setdefault(f"{form}{at}", name.nth)
    forms.pop(str(whole), None)
    return forms


def open_tokens(keys: Mapping[int, bytes]) -> Tokens | None:
    """The tokens under these keys, by number; None without a key."""
    return Tokens(keys) if keys else None


class Spelling(NamedTuple):
    """A contact value as printed on a channel. `identified`: as `identify` says. `flaw`: as `flaw.flaw` says."""

    identified: Identified | None
    flaw: Flaw | None

    @property
    def weight(self) -> int:
        """The bytes that it takes in memory with its key, as an estimate."""
        tokens = self.identified
        if tokens is None:
            return 600
        less = (tokens.readings, tokens.others, tokens.same, tokens.places, tokens.further, tokens.named)
        return 600 + 150 * sum(map(len, (*less, *tokens.beside, *tokens.lines)))


Written = tuple[Channel, str, str | None, tuple[str, ...], str | None]
"""Channel, name, postcode, lines, and mailbox or number: those of them that its channel reads."""


class Tokens:
    """Tokens under the keys of the gate, with a cache of the spellings seen last.

    Spellings are held in memory only, in at most `size` bytes; those not used for longest are dropped first.
    """

    def __init__(self, keys: Mapping[int, bytes], *, size: int = SPELLINGS) -> None:
        self.prints = {_named(number): fingerprint(key, "token") for number, key in keys.items()}
        """The fingerprint of each key, by its name as in `key_of`."""
        self.keys = frozenset(self.prints)
        """The keys, each as in `key_of`."""
        self.pair_key = digest(keys[min(keys)], b"gate/pair/1", "sha256")
        """The key for ids of nos of other ids. It is made from the first token key, so a new one changes none."""

        def read(written: Written) -> Spelling:
            channel, name, postcode, lines, contact = written
            spelled = cast("Delivery", PlainDelivery(name, postcode, lines, contact, contact))
            return Spelling(identify(keys, channel, spelled), flaw(channel, spelled))

        self._tokens = keys
        self._read = Cache(size, read, lambda _, spelling: spelling.weight)

    def spelling(self, channel: Channel, delivery: Delivery) -> Spelling:
        """The delivery as it is printed on the channel, under the keys."""
        if channel in WRITTEN:
            return self._read(("postal", delivery.name, delivery.postcode, delivery.lines, None))
        return self._read((channel, "", None, (), delivery.email if channel == "email" else delivery.phone))

    def whole_address(self, delivery: Delivery) -> Identified | None:
        """The result of `whole_address` for the keys and the delivery."""
        return whole_address(self._tokens, delivery)

    def of_value(self, value: str) -> tuple[str, ...]:
        """The tokens of a normalised value, that under the key in use first."""
        return tuple(token(self._tokens[number], value, number) for number in sorted(self._tokens, reverse=True))

    def of(self, channel: Channel, delivery: Delivery) -> Identified | None:
        """The result of `identify` for the keys, the channel and the delivery."""
        return self.spelling(channel, delivery).identified

    def differs(self, given: str, identified: Identified) -> bool:
        """True if a send names another token than that of its delivery; one of a former key is not compared."""
        return given != identified.token and key_of(given) == key_of(identified.token)

    @property
    def remembered(self) -> int:
        """The number of spellings in memory."""
        return len(self._read)
