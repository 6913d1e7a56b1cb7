"""The entries of one partition that still matter, held in memory, and look-ups over them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

import orjson

from gatekeeper.errors import IntegrityError
from gatekeeper.ledger.entries import (
    ACT,
    ASKED,
    CANCEL,
    ENDING,
    ERASED,
    KINDS,
    REJUDGED,
    SALT,
    SEEN,
    Clearance,
    Entry,
    ItemState,
    cancel_key,
    read_standing,
    unsalted,
)
from gatekeeper.ledger.person_entries import (
    NOTHING_REMEMBERED,
    Remembered,
    bearing,
    clearance_in,
    concerned,
    key_of,
    over,
    value_of,
)
from gatekeeper.ledger.salts import Salts
from schemas.codec import canonical
from schemas.events import Send
from schemas.topics import DAY_MS

_TOKEN = re.compile(rb'"(t[1-9][0-9]?(?:k[1-9][0-9]*)?_[A-Za-z0-9_\-]{43})"')
_KIND = re.compile(rb"[a-z]{1,16}")
"""Pattern of a kind of entry; a key that begins with anything else is foreign, and is not quoted."""


class LedgerState:
    """Entries of one partition. The writer of an entry puts it in at once, so that the next send sees it."""

    def __init__(self) -> None:
        self.review: int | None = None
        """Lowest offset on `review` of an item made now; None if no item is ever judged again."""
        self.salts = Salts()
        """Everybody has one, most nothing else. They come from a topic of their own."""
        self._people: dict[bytes, bytes] = {}
        self._outlived = True  # a lost write may have left salts of erased people
        self._asked: set[bytes] = set()
        self._rejudged: dict[bytes, None] = {}  # in the order of their items on `review`: read in one pass
        self._cancelled: dict[bytes, tuple[int, int]] = {}  # by key: time of cancellation, and `until`
        self._seen: dict[bytes, int] = {}  # ids of signed acts, with `until`
        self._due: dict[int, list[bytes]] = {}  # by the day of `until`: people to check afterwards

    @property
    def people(self) -> int:
        """Number of people with entries."""
        return len(self._people)

    @property
    def asked(self) -> int:
        """Number of items that wait for the answer of a person who was asked."""
        return len(self._asked)

    def take(self, key: bytes, value: bytes | None) -> None:
        """Puts in an entry as read back; raises IntegrityError (4) for an entry that this engine did not write."""
        kind, slash, _ = key.partition(b"/")
        if kind == SALT:
            raise IntegrityError("error.ledger_older")
        if kind not in KINDS and slash and _KIND.fullmatch(kind):
            raise IntegrityError("error.ledger_newer", kind=kind.decode())
        if kind not in KINDS:
            raise IntegrityError("error.ledger_unreadable")
        if value is None:
            self.put(Entry(key, None))
            return
        ending = ENDING.search(value, max(0, len(value) - 40))
        if ending is None or key.count(b"/") < 2:
            raise IntegrityError("error.ledger_unreadable")
        until = None if ending[1] == b"null" else int(ending[1])
        self.put(Entry(key, value, until))

    def put(self, entry: Entry) -> None:
        """Puts in an entry, which replaces the one with the same key; an entry without value deletes that one."""
        kind, owner, rest = entry.key.split(b"/", 2)
        if kind == SALT:
            self.salts.put(owner, entry.value)
            return
        if kind == ERASED:
            self.salts.mark(owner, entry.value)
            return
        if kind == CANCEL:
            self._cancel(entry)
            return
        if kind == SEEN:
            if entry.value is None or entry.until is None:
                self._seen.pop(owner, None)
            else:
                self._seen[owner] = entry.until
            return
        name = b"%b/%b " % (kind, rest)
        had = self._people.get(owner)
        lines = [line for line in had.split(b"\n") if not line.startswith(name)] if had else []
        if entry.value is not None:
            lines.append(name + entry.value)
            if entry.until is not None:
                self._due.setdefault(entry.until // DAY_MS, []).append(owner)
        if lines:
            self._people[owner] = b"\n".join(lines) if len(lines) > 1 else lines[0]
        elif had:
            del self._people[owner]
        if kind == ACT:
            waits = entry.value is not None and ASKED in entry.value
            (self._asked.add if waits else self._asked.discard)(entry.key)
            if any(line.startswith(b"act/") and REJUDGED in line for line in lines):
                self._rejudged[owner] = None
            else:
                self._rejudged.pop(owner, None)

    def _cancel(self, entry: Entry) -> None:
        if entry.value is None or entry.until is None:
            self._cancelled.pop(entry.key, None)
            return
        try:
            self._cancelled[entry.key] = int(orjson.loads(entry.value)["at"]), entry.until
        except (KeyError, TypeError, ValueError):
            raise IntegrityError("error.ledger_unreadable") from None

    def seen(self, act_id: str) -> bool:
        """Tells whether a signed act with this id was judged."""
        return act_id.encode() in self._seen

    def seen_until(self, arrived: int, limit: int) -> list[Entry]:
        """Deletions of at most `limit` signed acts of which no copy counts any more.

        `arrived`: an arrival on the partition's `acts`, in milliseconds. The clock does not matter here: a worker that
        was away meets a copy long after it arrived.
        """
        over = (owner for owner, until in self._seen.items() if until < arrived)
        return [Entry(b"seen/%b/" % owner, None) for owner in islice(over, limit)]

    def cancelled_at(self, campaign: str, channel: str) -> int:
        """The instant (milliseconds) of a campaign's last cancellation, for this channel or for all; -1 for never."""
        keys = (cancel_key(campaign, channel), cancel_key(campaign, None))
        return max(self._cancelled.get(key, (-1, 0))[0] for key in keys)

    def about(self, send: Send, at: int) -> Remembered:
        """The entries that bear on this send at an instant."""
        lines, erased = self._people.get(send.recipient_id.encode()), self.salts.erased_at(send.recipient_id)
        if lines is None:
            return NOTHING_REMEMBERED if erased is None else Remembered(erased=erased)
        return bearing(send, lines, at=at, erased=erased)

    def forgotten(self, recipient_id: str) -> tuple[Entry, ...]:
        """The deletions of all entries about a person except live clearances, which are recalled."""
        owner = recipient_id.encode()
        return tuple(Entry(key_of(owner, line), None) for line in self._lines(owner) if not line.startswith(b"clear/"))

    def concerns(self, recipient_id: str) -> bool:
        """Tells whether a fact about a person may bear on their entries.

        Such entries are a clearance, an ask, or an item that the gate judges again by itself.
        """
        owner = recipient_id.encode()
        return owner in self._rejudged or concerned(self._people.get(owner, b""))

    def names(self) -> Iterator[str]:
        """Yields everybody with a clearance or an ask, as of the first step."""
        return (owner.decode() for owner, lines in list(self._people.items()) if concerned(lines))

    def rejudged(self) -> Iterator[str]:
        """Yields everybody with an item that the gate judges again by itself, in the order of their items."""
        return (owner.decode() for owner in list(self._rejudged))

    def tokens(self, recipient_id: str) -> set[bytes]:
        """The tokens that the clearances of a person name."""
        lines = self._people.get(recipient_id.encode(), b"")
        return {*_TOKEN.findall(lines)} if b"clear/" in lines else set()

    def releases(self, send: Send) -> tuple[bytes, ...]:
        """The keys of the releases of the send's key."""
        prefix = f"release/{send.campaign_id}/{send.channel}/".encode()
        owner = send.recipient_id.encode()
        return tuple(key_of(owner, line) for line in self._lines(owner) if line.startswith(prefix))

    def standing(self, recipient_id: str, did: str) -> ItemState | None:
        """The state of the item with this decision id, None if there was no act about it."""
        name = f"act/{did} ".encode()
        for line in self._lines(recipient_id.encode()):
            if line.startswith(name):
                return read_standing(line[len(name) :])
        return None

    def requests(self, recipient_id: str) -> frozenset[bytes]:
        """The ids of the asks to a person."""
        lines = self._lines(recipient_id.encode())
        return frozenset(line.partition(b" ")[0][4:] for line in lines if line.startswith(b"ask/"))

    def waiting(self, recipient_id: str, at: int, *, answered: bool) -> dict[str, int]:
        """A person's items that the gate may clear: the offset on `review` for each decision id.

        The result holds items about which the person was asked. It also holds items that the gate judges again by
        itself at this instant. If the person has `answered`, it holds the others as well.
        """
        found = {}
        for line in self._lines(recipient_id.encode()):
            if line.startswith(b"act/") and (answered or ASKED in line or REJUDGED in line):
                name, _, value = line.partition(b" ")
                standing = read_standing(value)
                if standing.offset is not None and (answered or ASKED in line or at < (standing.rejudge or 0)):
                    found[name[4:].decode()] = standing.offset
        return found

    def clearances(self, at: int, recipient_id: str | None = None) -> Iterator[Clearance]:
        """Yields the live clearances of one person, or of everybody."""
        owners = list(self._people) if recipient_id is None else [recipient_id.encode()]
        for owner in owners:
            for line in self._lines(owner):
                if line.startswith(b"clear/") and at < (found := clearance_in(owner, line)).until:
                    yield found

    def of_campaign(self, campaign: str, channel: str | None = None) -> list[bytes]:
        """The key of each clearance of a campaign; nothing is decoded, as there may be many."""
        start = f"clear/{campaign}/{channel or ''}".encode()
        return [
            key_of(owner, line)
            for owner, lines in self._people.items()
            if start in lines
            for line in lines.split(b"\n")
            if line.startswith(start) and channel in (None, line.split(b"/", 3)[2].partition(b" ")[0].decode())
        ]

    def clearance(self, key: bytes, at: int) -> Clearance | None:
        """The clearance with this key, None if it is not live at that instant."""
        _, owner, rest = key.split(b"/", 2)
        for line in self._lines(owner):
            if line.startswith(b"clear/%b " % rest):
                found = clearance_in(owner, line)
                return found if at < found.until else None
        return None

    def handed(self, clearance: Clearance, act_id: str) -> Entry:
        """The entry of a clearance as handed off by this act; all else stays unchanged."""
        return self._noted(clearance, handed=act_id)

    def reemitted(self, clearance: Clearance, act_id: str) -> Entry:
        """The entry of a clearance as written again by this act; all else stays unchanged."""
        return self._noted(clearance, reemitted=act_id)

    def _noted(self, clearance: Clearance, **noted: str) -> Entry:
        _, owner, rest = clearance.key.split(b"/", 2)
        (line,) = (each for each in self._lines(owner) if each.startswith(b"clear/%b " % rest))
        return Entry(clearance.key, canonical(value_of(line) | noted), clearance.until)

    def due(self, at: int, limit: int) -> list[Entry]:
        """Deletions of at most `limit` entries that no longer matter; those of a day once the day is over."""
        found = [Entry(key, None) for key, (_, until) in self._cancelled.items() if until <= at][:limit]
        if self._outlived:
            found += map(unsalted, self.salts.outlived[: limit - len(found)])
            self._outlived = bool(self.salts.outlived)
        while self._due and (min(self._due) + 1) * DAY_MS <= at:
            day = min(self._due)
            owners = self._due[day]
            while owners:
                done = [Entry(key_of(owners[-1], line), None) for line in self._lines(owners[-1]) if over(line, at)]
                if found and len(found) + len(done) > limit:
                    return found
                found += done
                owners.pop()
            del self._due[day]
        return list(dict.fromkeys(found))

    def _lines(self, owner: bytes) -> list[bytes]:
        lines = self._people.get(owner)
        return lines.split(b"\n") if lines else []
