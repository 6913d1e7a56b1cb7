"""Facts known about a person at a decision, rebuilt from the fact topics up to a manifest's offsets."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from gatekeeper.deciding.facts import Facts
from gatekeeper.deciding.redacted import redacted_fields
from gatekeeper.identity import Identified, Printed
from gatekeeper.knowledge import unreadable
from gatekeeper.knowledge.copies import CopiedRun, Partition
from gatekeeper.knowledge.store import FactStore
from gatekeeper.knowledge.token_keys import names_token
from schemas.codec import Unreadable, parse
from schemas.events import Send
from schemas.record import Coordinates, Record

Positions = Mapping[str, Sequence[int]]
"""Next offset of each fact topic (registry name), by partition. Records below it were known."""
TOKENED = frozenset(("sources", "suppressions"))
"""Topics whose records have tokens, and so headers that say of which keys."""
_KEPT = 8
_NAMED = 1_000
"""Records that one store tells the names of."""


class Archive:
    """All records of the fact topics, by person. An archive takes about twice the memory of a worker's facts.

    `origin`: the name of the log, for which people signed. `ours`, `pair_key`: as of `FactStore`.
    """

    def __init__(
        self, origin: str = "", founder: str = "", *, ours: Mapping[str, str] | None = None, pair_key: bytes = b""
    ) -> None:
        self._whose, self._ours, self._pair_key = (origin, founder), ours, pair_key
        self._givers: dict[str, set[str]] = defaultdict(set)
        """The people whose sources name a token."""
        self._about: dict[str, list[Record]] = defaultdict(list)
        self._reference: list[Record] = []
        self._special: list[Record] = []
        """Records and batches about people that cannot be read, and so may concern anyone; and gaps."""
        self._keyed: set[str] = set()
        self._copied: dict[Partition, CopiedRun] = defaultdict(CopiedRun)
        self._arrivals: dict[Coordinates, int] = {}
        """First arrivals that copied records of people state, in milliseconds."""
        self._ends: dict[Partition, int] = {}
        """The offset after the last of these, by partition."""
        self._stores: dict[tuple[int, ...], FactStore] = {}
        self._naming, self._left = FactStore(ours=ours), 0
        self._heard: list[str] = []

    def apply(self, record: Record) -> None:
        """Adds one record, as `FactStore.apply` does. Call it in offset order within each partition."""
        if record.topic == "reference":
            self._reference.append(record)
            return
        arrived = self._copied[record.topic, record.partition].take(record)
        if arrived is not None:
            self._arrivals[record.topic, record.partition, record.offset] = arrived
            self._ends[record.topic, record.partition] = record.offset + 1
        if record.headers and record.topic not in TOKENED:  # no rule reads others
            record = replace(record, headers=())
        names, anybody = self._concerned(record)
        if anybody:
            self._special.append(record)
            return
        for name in names:
            self._about[name].append(record)
        for token in _tokens(record) if names else ():
            self._givers[token].add(names[0])

    def depends_on_keys(self, place: str) -> bool:
        """Tells whether whom the unreadable stop at TOPIC/PARTITION/OFFSET concerns depends on the keys of then."""
        return place in self._keyed

    def _concerned(self, record: Record) -> tuple[Sequence[str], bool]:
        """The names that a record concerns, and whether it may concern anybody.

        The store that tells them is renewed, because it keeps what it is told.
        """
        if not self._left:
            self._naming, self._left = FactStore(ours=self._ours), _NAMED
            self._naming.listeners.append(self._heard.append)
        self._left -= 1
        self._heard.clear()
        self._naming.apply(record)
        place = record.topic, record.partition, record.offset
        if (
            record.topic == "suppressions"
            and place in self._naming.unresolved.faults
            and names_token(unreadable.named(record.topic, record.key, record.value or b""))
        ):
            self._keyed.add("/".join(map(str, place)))
        batch = record.refused is not None and record.refused.what == "batch"
        gap = not self._heard and any(gap.place == place for gap in self._naming.gaps)
        return [*dict.fromkeys(self._heard)], batch or gap or self._naming.unresolved.concerns_anybody(place)

    def reference(self, at: Positions) -> FactStore:
        """The reference data and policies known at these positions, without facts about people."""
        key = tuple(at.get("reference", ()))
        store = self._stores.get(key)
        if store is None:
            store = FactStore(*self._whose, ours=self._ours, pair_key=self._pair_key)
            for record in self._reference:
                if _known(record, at):
                    store.apply(record)
            if len(self._stores) >= _KEPT:
                del self._stores[next(iter(self._stores))]
            self._stores[key] = store
        return store

    def view(
        self,
        send: Send,
        printed: Printed | None,
        at: Positions,
        *,
        instant: int,
        zone: str,
        asks: bytes,
        releases: bytes,
        erased: int | None = None,
        asked: bytes | None = b"",
    ) -> Facts:
        """The view that `FactStore.view` gave then. The worker's own ledger comes in as arguments.

        `instant`, `zone`: the `at` and `zone` of that view.
        """
        ours = [record for record in self._about.get(send.recipient_id, ()) if _known(record, at)]
        names = {match.token for match in send.match}
        if send.contact_point.token:
            names.add(send.contact_point.token)
        if isinstance(printed, Identified):
            names |= {
                *printed.exact,
                *(token for token, _ in (*printed.readings, *printed.others, *printed.places, *printed.further)),
            }
        for record in ours:
            names |= _tokens(record)
        reference = self.reference(at)
        store = reference.emptied()
        names |= {person for token in names for person in self._givers.get(token, ())}
        for name in names - {send.recipient_id}:
            ours += [record for record in self._about.get(name, ()) if _known(record, at)]
        for record in (*ours, *(record for record in self._special if _known(record, at))):
            store.apply(record)
        for record in (earlier for own in ours for earlier in self._copies(own, reference, at)):
            store.apply(record)
        return store.view(
            send, printed, at=instant, zone=zone, asks=asks, releases=releases, erased=erased, asked=asked
        )

    def _copies(self, record: Record, known: FactStore, at: Positions) -> Iterator[Record]:
        """Yields a fact as it first arrived, if it is a copy that is believed at these positions."""
        place = record.topic, record.partition
        arrived = self._arrivals.get((*place, record.offset))
        whole = self._ends.get(place, 0) <= at[record.topic][record.partition]
        if arrived is not None and whole and known.copies.believed(place, self._copied[place]):
            yield replace(record, timestamp=arrived)


def _known(record: Record, at: Positions) -> bool:
    ends = at.get(record.topic, ())
    return record.partition < len(ends) and record.offset < ends[record.partition]


def _tokens(record: Record) -> set[str]:
    """The tokens of a source record; empty for any other record, and for an unreadable one."""
    if record.topic != "sources":
        return set()
    try:
        content = parse("sources", record.key, record.value).json
    except Unreadable:
        return set()
    return {token.token for token in redacted_fields("sources", content)[1]}
