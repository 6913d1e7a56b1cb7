"""A fact and the act that records its author and reason: both in one transaction, or neither.

The fact binds from its acknowledgement, and the act becomes one audit record. The worker never writes a fact topic,
because its barrier waits for them. So every command and page that writes facts uses this module.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar
from uuid import uuid4

from pydantic import ValidationError

from gatekeeper.ground.errors import IncompleteError, IntegrityError, UnavailableError, UsageError
from gatekeeper.ground.settings import Settings
from gatekeeper.knowledge.reference_log import ReferenceLog
from gatekeeper.staff.act_kinds import OPTIONS, AnyAct, valid
from schemas.codec import Unreadable, canonical, decode, encode
from schemas.events import Batch, Controller, PairedAct
from schemas.record import Record
from schemas.topics import subject_key
from streams.client.outgoing import Outgoing
from streams.client.publisher import RecordMetadata, transact
from streams.client.reader import Reader
from streams.client.signatory import Signatory

Referred = TypeVar("Referred", bound=Controller | Batch)
Referred_co = TypeVar("Referred_co", bound=Controller | Batch, covariant=True)
_OPTIONS = {**OPTIONS, "suspended_since": "--from", "suspended_until": "--until"}


@dataclass(frozen=True, slots=True)
class Pair:
    """An acknowledged pair: the act's id, the places of the facts, and those of the act, one a partition."""

    act_id: str
    facts: tuple[RecordMetadata, ...]
    acts: tuple[RecordMetadata, ...]

    @property
    def act(self) -> RecordMetadata:
        """The last place of the act."""
        return self.acts[-1]


@dataclass(frozen=True, slots=True)
class FactsWithAct:
    """Facts and an act that are to be written together. `partitions`: where the act stands; None is its key's."""

    facts: Sequence[Outgoing]
    act: PairedAct
    partitions: Sequence[int | None] = (None,)

    @property
    def records(self) -> list[Outgoing]:
        """The facts, then the act once for each partition."""
        key = subject_key("acts", self.act).encode()
        return [*self.facts, *(Outgoing("acts", key, encode(self.act), number) for number in self.partitions)]

    def write(self, settings: Settings, signatory: Signatory | None = None) -> Pair:
        """Writes all or nothing; raises as `write` does."""
        try:
            places = transact(settings, self.records, signatory=signatory)
        except IncompleteError:
            raise UnavailableError("error.pair_unknown", broker=settings.bootstrap, act=self.act.act_id) from None
        return Pair(self.act.act_id, tuple(places[: len(self.facts)]), tuple(places[len(self.facts) :]))


@dataclass(frozen=True, slots=True)
class NewestReference(Generic[Referred_co]):
    """The newest record of `reference` about a subject, and its place; `record` is None if there is none."""

    model: Referred_co
    record: Record | None


@dataclass(frozen=True, slots=True)
class Rival:
    """Another change of the same record of `reference` meanwhile: its author (None = not known) and place.

    `last`: True if the other change came after ours, and so counts.
    """

    by: str | None
    place: RecordMetadata
    last: bool


def now() -> str:
    """The current instant in the form of events."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def act(kind: str, *, by: str, **more: Any) -> PairedAct:
    """An act that comes with a fact; `more`, and the errors, as of `made`."""
    return made(PairedAct, kind, by=by, **more)


def made(model: type[AnyAct], kind: str, *, by: str, **more: Any) -> AnyAct:
    """An act of now with an id of its own; `more`: its other fields. Raises as `valid` does."""
    return valid(model, {"v": 1, "kind": kind, "act_id": uuid4().hex, "at": now(), "by": by, **more})


def write(
    settings: Settings,
    facts: Sequence[Outgoing],
    act: PairedAct,
    *,
    partitions: Iterable[int | None] = (None,),
    signatory: Signatory | None = None,
) -> Pair:
    """Writes facts and act, all or nothing; the returned pair is acknowledged, and binds.

    `partitions`: where the act is written, once on each; None is its key's. `signatory`: as for `Publisher`.
    Raises UnavailableError (3) or UsageError (2) if nothing was written. Also raises UnavailableError, with a sentence
    that says so, if the answer to the commit did not come. Nothing is retried, so that nothing is doubled.
    """
    return FactsWithAct(facts, act, tuple(partitions)).write(settings, signatory)


def newest(reader: Reader, model: type[Referred], id_: str) -> NewestReference[Referred] | None:
    """The newest record of a controller or a batch that counts, and the newest place; None if none counts.

    Raises IntegrityError (4) if the newest record cannot be read, because a newer one would lose its content.
    """
    kind = model.model_fields["kind"].annotation.__args__[0]  # type: ignore[union-attr]
    key, log = f"{kind}/{id_}", ReferenceLog(reader.settings.group, reader.settings.founder)
    last: Record | None = None
    fault: Unreadable | None = None
    current: Referred | None = None
    for record in reader.read("reference"):
        if named := _key(record) == key.encode():
            last, fault = record, None
        try:
            counted = log.take(record, decode("reference", record.key, record.value))
        except Unreadable as unreadable:
            fault = unreadable if named else fault
            continue
        if counted is not None and isinstance(counted.model, model) and counted.model.id == id_:
            current = counted.model
    if last is not None and fault is not None:
        place = f"reference/{last.partition}/{last.offset}"
        raise IntegrityError("error.reference_unreadable", place=place, fault=fault.fault)
    return NewestReference(current, last) if current else None


def amend(
    settings: Settings,
    old: NewestReference[Controller | Batch],
    act: PairedAct,
    signatory: Signatory | None = None,
    **changes: Any,
) -> Pair:
    """Writes a record of `reference` anew with its act: these fields changed, all others kept, except its authors.

    The new record is the actor's word, so it does not wait for others who stood for the former one.
    """
    kept = old.model.model_dump(mode="json", exclude_none=True, exclude={"by"}) | changes
    value = canonical({name: content for name, content in kept.items() if content is not None})
    try:
        new = type(old.model).model_validate_json(value)
    except ValidationError as error:
        field = str(error.errors(include_input=False, include_context=False)[0]["loc"][0])
        raise UsageError("error.option_invalid", option=_OPTIONS.get(field, field)) from None
    record = Outgoing("reference", subject_key("reference", new).encode(), encode(new))
    return write(settings, [record], act, signatory=signatory)


def rival(reader: Reader, old: NewestReference[Controller | Batch], pair: Pair) -> Rival | None:
    """The change of the same record between our reading of it and now, None if nobody made one.

    Kafka has no conditional write: two managers at once both write, and the last record counts as a whole.
    """
    before = old.record.offset if old.record else -1
    (ours,) = pair.facts
    key = f"{old.model.kind}/{old.model.id}"
    others = [record for record in _records(reader, key) if record.offset > before and record.offset != ours.offset]
    if not others:
        return None
    since = old.record.timestamp if old.record else 0
    by = None
    for record in reader.read("acts", since=since):
        try:
            other = decode("acts", record.key, record.value)
        except Unreadable:
            continue
        if isinstance(other, PairedAct) and other.subject == key and other.act_id != pair.act_id:
            by = other.by
    place = RecordMetadata("reference", others[-1].partition, others[-1].offset)
    return Rival(by, place, last=others[-1].offset > ours.offset)


def _records(reader: Reader, key: str) -> Iterator[Record]:
    return (record for record in reader.read("reference") if _key(record) == key.encode())


def _key(record: Record) -> bytes | None:
    """The key of a record of `reference`, else the key of its value; None if that cannot be read."""
    if record.key is not None:
        return record.key
    try:
        return subject_key("reference", decode("reference", None, record.value)).encode()
    except Unreadable:
        return None
