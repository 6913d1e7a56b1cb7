"""Records that the gate could not read: its dead letters, joined with the resolutions of the privacy manager."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gatekeeper.audit.records import masking
from gatekeeper.knowledge.store import FactStore
from gatekeeper.knowledge.unresolved import Unresolved
from schemas.codec import Unreadable, decode
from schemas.events import Resolution
from schemas.record import Record
from schemas.topics import FACT_TOPICS, logical_name
from streams.client.reader import Reader

Source = tuple[str, int, int]
"""Topic of the registry, partition, offset: written `sends/3/120`."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One record set aside: its source, its fault, and its newest resolution if it has one.

    `resolved`: the managers who resolved it.
    """

    source: Source
    record: Record
    resolution: Resolution | None
    resolved: int

    @property
    def name(self) -> str:
        """The source in the form for people."""
        return "{}/{}/{}".format(*self.source)

    @property
    def fault(self) -> str:
        """The codec's code for the fault."""
        return self.record.header("gate-fault")

    @property
    def place(self) -> str:
        """The faulty field, '' if the fault is not in one field."""
        return self.record.header("gate-place")

    @property
    def event_id(self) -> str | None:
        """The event id that its value still holds, None if there is none in the form of an id."""
        return masking.id_in(self.record.value, "event_id")

    @property
    def campaign_id(self) -> str | None:
        """The campaign id that its value still holds, None if there is none in the form of an id."""
        return masking.id_in(self.record.value, "campaign_id")

    @property
    def is_fact(self) -> bool:
        """True if someone has to resolve it: an unreadable fact withholds its person until then."""
        return self.source[0] in FACT_TOPICS

    @property
    def is_open(self) -> bool:
        """True if it is a fact that not enough managers have resolved."""
        return self.is_fact and self.resolved < self.needed

    @property
    def needed(self) -> int:
        """The number of managers who must resolve it."""
        return int(self.record.header("gate-managers") or 1)


def parse_source(name: str) -> Source:
    """Reads `sends/3/120`; raises ValueError for anything else."""
    topic, partition, offset = name.split("/")
    if not (topic and partition.isdecimal() and offset.isdecimal()):
        raise ValueError("not topic/partition/offset")
    return topic, int(partition), int(offset)


def read(reader: Reader, taken: Callable[[], object] = lambda: None) -> list[DeadLetter]:
    """The dead letters that are still kept, oldest first, one per source. `taken`: called for each record."""
    resolutions, unresolved = resolved(reader, taken)
    letters: dict[Source, DeadLetter] = {}
    for record in reader.read("deadletter"):
        taken()
        try:
            source = parse_source(record.header("gate-source"))
        except ValueError:
            source = ("deadletter", record.partition, record.offset)  # not ours, but must be listed
        letters[source] = DeadLetter(source, record, resolutions.get(source), unresolved.resolved_by(source))
    return sorted(letters.values(), key=lambda letter: letter.record.timestamp)


def resolution_id(source: Source) -> str:
    """The id of a source's resolution: the same source resolved again replaces it."""
    return "{}-{}-{}".format(*source)


def resolved(reader: Reader, taken: Callable[[], object] = lambda: None) -> tuple[dict[Source, Resolution], Unresolved]:
    """The newest resolution of each record, and who resolved it, by the signatures that count."""
    resolutions, store = dict[Source, Resolution](), FactStore(reader.settings.group, reader.settings.founder)
    for record in reader.read("reference"):
        taken()
        store.apply(record)
        try:
            value = decode("reference", record.key, record.value)
        except Unreadable:
            continue  # has a dead letter of its own
        if isinstance(value, Resolution):
            resolutions[(logical_name(value.topic), value.partition, value.offset)] = value
    return resolutions, store.unresolved
