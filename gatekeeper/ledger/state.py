"""The entries of one partition that still matter, and look-ups over them.

What is about people is in tables, so that memory does not bound it (docs/adr/0056-the-ledger-on-disk.md).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from gatekeeper.ground.errors import IntegrityError
from gatekeeper.ground.tables import SPOILT, MemoryTables, Tables
from gatekeeper.ledger.entries import (
    ACT,
    ASKED,
    CANCEL,
    ENDING,
    ERASED,
    KINDS,
    QUESTION,
    REJUDGED,
    SALT,
    SEEN,
    Clearance,
    Entry,
    ItemState,
    read_standing,
)
from gatekeeper.ledger.expiry import Expiry
from gatekeeper.ledger.marks import Marks
from gatekeeper.ledger.person_entries import (
    NOTHING_REMEMBERED,
    Remembered,
    bearing,
    clearance_in,
    concerned,
    key_of,
    tokens_in,
    value_of,
    waiting_in,
)
from gatekeeper.ledger.questions import QuestionIndex
from gatekeeper.ledger.salts import Salts
from schemas.codec import canonical
from schemas.events import Send

_KIND = re.compile(rb"[a-z]{1,16}")
"""Pattern of a kind of entry; a key that begins with anything else is foreign, and is not quoted."""


class LedgerState:
    """Entries of one partition. The writer of an entry puts it in at once, so that the next send sees it.

    `tables`: hold the entries, except salts, which are in memory alone. Without them everything is in memory.
    """

    def __init__(self, tables: Tables | None = None) -> None:
        tables = tables or MemoryTables()
        self.review: int | None = None
        """Lowest offset on `review` of an item made now; None if no item is ever judged again."""
        self.salts = Salts()
        """Everybody has one, most nothing else. They come from a topic of their own."""
        self.questions = QuestionIndex()
        """Those that were put in since this ledger was read; others may not see them yet."""
        self.unasked: set[bytes] = set()
        """The keys of those that were deleted since."""
        self.marks = Marks()
        self._people = tables.table("people")
        self.expiry = Expiry(self._people, self.marks, self.salts)
        self._others, self._waits = tables.journal("others"), tables.journal("waits")
        self._looked: tuple[str | None, bytes | None] = (None, None)  # the last person: a send asks several times
        self._asked: set[bytes] = set()
        self._rejudged: dict[str, None] = {}  # in the order of their items on `review`: read in one pass
        self._begin()

    def _begin(self) -> None:
        """Takes in what the tables hold already."""
        for key, value in list(self._others.items()):
            self._put_other(self._read(key.encode(), value))
        places: dict[str, int] = {}
        for owner, _ in self._waits.items():
            for line in self._lines(owner):
                if line.startswith(b"act/") and ASKED in line:
                    self._asked.add(key_of(owner.encode(), line))
                elif line.startswith(b"act/") and REJUDGED in line:
                    offset = read_standing(line.partition(b" ")[2]).offset or 0
                    places[owner] = min(offset, places.get(owner, offset))
        self._rejudged = dict.fromkeys(sorted(places, key=lambda owner: places[owner]))

    @property
    def people(self) -> int:
        """Number of people with entries."""
        return len(self._people)

    @property
    def asked(self) -> int:
        """Number of items that wait for the answer of a person who was asked."""
        return len(self._asked)

    def outlived(self, questions: QuestionIndex) -> list[Entry]:
        """The deletions of questions to people who were erased since. `questions`: those on all partitions."""
        keys = questions.of(self.salts.erased) | self.questions.of(self.salts.erased)
        return [Entry(key, None) for key in sorted(keys - self.unasked)]

    def take(self, key: bytes, value: bytes | None) -> None:
        """Puts in an entry as read back; raises IntegrityError (4) for an entry that this engine did not write."""
        kind, slash, _ = key.partition(b"/")
        if kind == SALT:
            raise IntegrityError("error.ledger_older")
        if kind not in KINDS and slash and _KIND.fullmatch(kind):
            raise IntegrityError("error.ledger_newer", kind=kind.decode())
        if kind not in KINDS:
            raise IntegrityError("error.ledger_unreadable")
        self.put(Entry(key, None) if value is None else self._read(key, value))

    @staticmethod
    def _read(key: bytes, value: bytes) -> Entry:
        ending = ENDING.search(value, max(0, len(value) - 40))
        if ending is None or key.count(b"/") < 2:
            raise IntegrityError("error.ledger_unreadable")
        return Entry(key, value, None if ending[1] == b"null" else int(ending[1]))

    def put(self, entry: Entry) -> None:
        """Puts in an entry, which replaces the one with the same key; an entry without value deletes that one."""
        kind, owner, rest = entry.key.split(b"/", 2)
        if kind == SALT:
            self.salts.put(owner, entry.value)
        elif kind == QUESTION:
            self.questions.put(entry)
            (self.unasked.add if entry.value is None else self.unasked.discard)(entry.key)
        elif kind in (ERASED, CANCEL, SEEN):
            self._put_other(entry)
            if entry.value is None:
                self._others.pop(entry.key.decode(), None)
            else:
                self._others[entry.key.decode()] = entry.value
        else:
            self._put_line(kind, owner.decode(), rest, entry)

    def _put_other(self, entry: Entry) -> None:
        kind, owner, _ = entry.key.split(b"/", 2)
        if kind == ERASED:
            self.salts.mark(owner, entry.value)
        else:
            self.marks.put(entry)

    def _put_line(self, kind: bytes, owner: str, rest: bytes, entry: Entry) -> None:
        name = b"%b/%b " % (kind, rest)
        had = self._of(owner)
        lines = [line for line in had.split(b"\n") if not line.startswith(name)] if had else []
        if entry.value is not None:
            lines.append(name + entry.value)
            if entry.until is not None:
                self.expiry.note(entry.until)
        left = b"\n".join(lines) if lines else None
        if left is not None:
            self._people[owner] = left
        elif had:
            self._people.pop(owner, None)
        self._looked = owner, left
        if kind == ACT:
            self._note_waiting(entry, owner, [line for line in lines if line.startswith(b"act/")])

    def _note_waiting(self, entry: Entry, owner: str, items: list[bytes]) -> None:
        """Takes note of whether this item, and whether any item of its person, waits for an answer or for facts."""
        waits = entry.value is not None and ASKED in entry.value
        (self._asked.add if waits else self._asked.discard)(entry.key)
        if rejudged := any(REJUDGED in line for line in items):
            self._rejudged[owner] = None
        else:
            self._rejudged.pop(owner, None)
        if rejudged or any(ASKED in line for line in items):
            self._waits[owner] = b"1"
        else:
            self._waits.pop(owner, None)

    def about(self, send: Send, at: int) -> Remembered:
        """The entries that bear on this send at an instant."""
        lines, erased = self._of(send.recipient_id), self.salts.erased_at(send.recipient_id)
        if lines is None:
            return NOTHING_REMEMBERED if erased is None else Remembered(erased=erased)
        return bearing(send, lines, at=at, erased=erased)

    def forgotten(self, recipient_id: str) -> tuple[Entry, ...]:
        """The deletions of all entries about a person except live clearances, which are recalled."""
        owner, lines = recipient_id.encode(), self._lines(recipient_id)
        return tuple(Entry(key_of(owner, line), None) for line in lines if not line.startswith(b"clear/"))

    def concerns(self, recipient_id: str) -> bool:
        """Tells whether a fact about a person may bear on their entries.

        Such entries are a clearance, an ask, an item that the gate judges again by itself, or a spoilt value.
        """
        if recipient_id in self._rejudged:
            return True
        lines = self._of(recipient_id) or b""
        return concerned(lines) or lines == SPOILT

    def names(self) -> Iterator[str | None]:
        """Yields everybody with a clearance or an ask; perhaps also people who got one since the first step.

        None stands for anybody else who was looked at, so that a caller can bound its steps.
        """
        return (owner if concerned(lines) else None for owner, lines in self._people.walk())

    def rejudged(self) -> Iterator[str]:
        """Yields everybody with an item that the gate judges again by itself, in the order of their items."""
        return iter(list(self._rejudged))

    def tokens(self, recipient_id: str) -> set[bytes]:
        """The tokens that the clearances of a person name."""
        return tokens_in(self._of(recipient_id) or b"")

    def releases(self, send: Send) -> tuple[bytes, ...]:
        """The keys of the releases of the send's key."""
        prefix = f"release/{send.campaign_id}/{send.channel}/".encode()
        owner, lines = send.recipient_id.encode(), self._lines(send.recipient_id)
        return tuple(key_of(owner, line) for line in lines if line.startswith(prefix))

    def standing(self, recipient_id: str, did: str) -> ItemState | None:
        """The state of the item with this decision id, None if there was no act about it."""
        name = f"act/{did} ".encode()
        for line in self._lines(recipient_id):
            if line.startswith(name):
                return read_standing(line[len(name) :])
        return None

    def requests(self, recipient_id: str) -> frozenset[bytes]:
        """The ids of the asks to a person."""
        lines = self._lines(recipient_id)
        return frozenset(line.partition(b" ")[0][4:] for line in lines if line.startswith(b"ask/"))

    def waiting(self, recipient_id: str, at: int, *, answered: bool) -> dict[str, int]:
        """A person's items that the gate may clear: the offset on `review` for each decision id.

        The result holds items about which the person was asked. It also holds items that the gate judges again by
        itself at this instant. If the person has `answered`, it holds the others as well.
        """
        return waiting_in(self._lines(recipient_id), at, answered=answered)

    def clearances(self, at: int, recipient_id: str | None = None) -> Iterator[Clearance]:
        """Yields the live clearances of one person, or of everybody."""
        people = self._people.walk() if recipient_id is None else [(recipient_id, self._of(recipient_id) or b"")]
        for owner, lines in people:
            for line in lines.split(b"\n"):
                if line.startswith(b"clear/") and at < (clearance := clearance_in(owner.encode(), line)).until:
                    yield clearance

    def of_campaign(self, campaign: str, channel: str | None = None) -> list[bytes]:
        """The key of each clearance of a campaign; nothing is decoded, as there may be many."""
        start = f"clear/{campaign}/{channel or ''}".encode()
        return [
            key_of(owner.encode(), line)
            for owner, lines in self._people.walk()
            if start in lines
            for line in lines.split(b"\n")
            if line.startswith(start) and channel in (None, line.split(b"/", 3)[2].partition(b" ")[0].decode())
        ]

    def clearance(self, key: bytes, at: int) -> Clearance | None:
        """The clearance with this key, None if it is not live at that instant."""
        _, owner, rest = key.split(b"/", 2)
        for line in self._lines(owner.decode()):
            if line.startswith(b"clear/%b " % rest):
                clearance = clearance_in(owner, line)
                return clearance if at < clearance.until else None
        return None

    def handed(self, clearance: Clearance, act_id: str) -> Entry:
        """The entry of a clearance as handed off by this act; all else stays unchanged."""
        return self._noted(clearance, handed=act_id)

    def reemitted(self, clearance: Clearance, act_id: str) -> Entry:
        """The entry of a clearance as written again by this act; all else stays unchanged."""
        return self._noted(clearance, reemitted=act_id)

    def _noted(self, clearance: Clearance, **noted: str) -> Entry:
        _, owner, rest = clearance.key.split(b"/", 2)
        (line,) = (line for line in self._lines(owner.decode()) if line.startswith(b"clear/%b " % rest))
        return Entry(clearance.key, canonical(value_of(line) | noted), clearance.until)

    def _lines(self, owner: str) -> list[bytes]:
        lines = self._of(owner)
        return lines.split(b"\n") if lines else []

    def _of(self, owner: str) -> bytes | None:
        """The lines of a person, None without one."""
        if self._looked[0] != owner:
            self._looked = owner, self._people.get(owner)
        return self._looked[1]
