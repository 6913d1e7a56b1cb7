"""What was known of somebody when a decision was made: the fact topics, folded again up to a manifest's positions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gatekeeper.deciding.facts import Facts, judged
from gatekeeper.identity import Identified, Printed
from gatekeeper.knowledge.store import FactStore
from schemas.codec import Unreadable, decode
from schemas.events import Resolution, Send
from schemas.record import Refusal

Positions = Mapping[str, Sequence[int]]
"""The next offset of each fact topic (registry name), by partition: what stands before it was known."""
_KEPT = 8


class _Stored(NamedTuple):
    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    refused: Refusal | None

    def known(self, at: Positions) -> bool:
        ends = at.get(self.topic, ())
        return self.partition < len(ends) and self.offset < ends[self.partition]


class Archive:
    """All records of the fact topics, by whom they are about; about as large as the facts of a worker twice."""

    def __init__(self) -> None:
        self._about: dict[str, list[_Stored]] = defaultdict(list)
        self._reference: list[_Stored] = []
        self._special: list[_Stored] = []
        """Of `reference` what bears on people by itself: records that cannot be read, and those that settle some."""
        self._stores: dict[tuple[int, ...], FactStore] = {}

    def apply(
        self,
        topic: str,
        partition: int,
        offset: int,
        key: bytes | None,
        value: bytes | None,
        refused: Refusal | None = None,
    ) -> None:
        """Takes one record in, as `FactStore.apply` does; each partition in its order."""
        record = _Stored(topic, partition, offset, key, value, refused)
        if refused and refused.what == "batch":
            self._special.append(record)
        if topic == "reference":
            self._reference.append(record)
            if _special(record):
                self._special.append(record)
            return
        names: list[str] = []
        store = FactStore()
        store.listeners.append(names.append)
        store.apply(*record)
        for name in dict.fromkeys(names):
            self._about[name].append(record)

    def reference(self, at: Positions) -> FactStore:
        """Returns what was known of reference data and policies; nothing of people."""
        key = tuple(at.get("reference", ()))
        store = self._stores.get(key)
        if store is None:
            store = FactStore()
            for record in self._reference:
                if record.known(at):
                    store.apply(*record)
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
        asks: bytes,
        releases: bytes,
        erased: int | None = None,
    ) -> Facts:
        """Returns what `FactStore.view` gave then; what a worker remembers beside the topics is given."""
        ours = [record for record in self._about.get(send.recipient_id, ()) if record.known(at)]
        names = {send.contact_point.token, *(match.token for match in send.match)}
        if isinstance(printed, Identified):
            names |= {printed.token, *(token for token, _ in printed.readings)}
        for record in ours:
            names |= _tokens(record)
        store = FactStore()
        store.reference = self.reference(at).reference
        for name in names - {send.recipient_id}:
            ours += [record for record in self._about.get(name, ()) if record.known(at)]
        for record in (*ours, *(record for record in self._special if record.known(at))):
            store.apply(*record)
        return store.view(send, printed, asks=asks, releases=releases, erased=erased)


def _special(record: _Stored) -> bool:
    try:
        return isinstance(decode("reference", record.key, record.value), Resolution)
    except Unreadable:
        return True


def _tokens(record: _Stored) -> set[str]:
    """The tokens that a source gives; none of what is no readable source."""
    if record.topic != "sources":
        return set()
    try:
        decode("sources", record.key, record.value)
    except Unreadable:
        return set()
    return {one.token for one in judged("sources", record.value or b"")[1]}
