"""The feeds that stated consents and stops, as their records name them, and what they owe after a loss.

A backup has nothing of what came later. So each feed is asked for its withdrawals and stops since then. One for which
nobody answered leaves a gap on `consents`. That withholds the mail of its companies. docs/adr/0065-backup.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import NamedTuple

from gatekeeper.deciding.reference import Reference
from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.settings import Settings
from gatekeeper.knowledge.store import FactStore
from schemas.codec import Unreadable, decode, encode
from schemas.events import Consent, FeedGap, Suppression
from schemas.record import Record
from schemas.values import ID_PATTERN, looks_dialled
from streams.backup.list import STOPS, Backup
from streams.client.fact_with_act import now
from streams.client.outgoing import Outgoing
from streams.client.publisher import RecordMetadata, transact
from streams.client.reader import Reader

_COMPANIES = 256
"""Companies that a gap names, at most; beyond, it withholds everybody's mail."""


@dataclass(slots=True)
class Feed:
    """A feed with its records in a backup. `controllers`: the companies that they name, None for all companies.

    `newest`: the broker's time of the newest record, in milliseconds; -1 without one. `evidence`: where its list since
    the backup is kept, None while nobody has answered. `gap`: the place of its gap, as TOPIC/PARTITION/OFFSET.
    """

    name: str
    controllers: set[str] | None = field(default_factory=set)
    records: int = 0
    newest: int = -1
    evidence: str | None = None
    gap: str | None = None

    def take(self, controllers: Collection[str] | None, at: int) -> None:
        """Takes in a record about these companies, None for all."""
        self.records, self.newest = self.records + 1, max(self.newest, at)
        self.controllers = (
            None if self.controllers is None or controllers is None else {*self.controllers, *controllers}
        )

    @property
    def withholds(self) -> tuple[str, ...]:
        """The companies whose mail its gap withholds; none for everybody's."""
        companies = sorted(self.controllers or ())
        return tuple(companies) if len(companies) <= _COMPANIES else ()


class FeedAnswer(NamedTuple):
    """The answer for a feed, or for all whose name begins so (`*`). `evidence`: where its list is kept."""

    feed: str
    evidence: str

    @classmethod
    def of(cls, said: str) -> FeedAnswer:
        """Reads FEED=EVIDENCE; raises UsageError (2) for anything else."""
        feed, _, evidence = said.partition("=")
        if not feed or not re.fullmatch(ID_PATTERN, evidence) or looks_dialled(evidence):
            raise UsageError("error.option_invalid", option="--answered")
        return cls(feed, evidence)

    def meant(self, feed: Feed) -> bool:
        """Tells whether it is about this feed."""
        return feed.name == self.feed or (self.feed.endswith("*") and feed.name.startswith(self.feed[:-1]))


def found(reader: Reader, backup: Backup, taken: Callable[[], object] = lambda: None) -> list[Feed]:
    """The feeds of a restored backup, by name. A company that no feed concerns stands for itself.

    `taken`: called for each record. Raises as `Reader` does.
    """
    store = FactStore(reader.settings.group, reader.settings.founder)
    for record in reader.read("reference"):
        store.apply(record)
    feeds = dict[str, Feed]()
    for topic in STOPS:
        before = {log.partition: log.end for log in backup.logs if log.topic == topic}
        for record in reader.read(topic, before=before):
            taken()
            if (stated := _of(record, store.reference)) is not None:
                feeds.setdefault(stated[0], Feed(stated[0])).take(stated[1], record.timestamp)
    concerned = [feed.controllers for feed in feeds.values()]
    if None not in concerned:
        for company in store.reference.controllers.keys() - set().union(*(companies or () for companies in concerned)):
            feeds[f"controller/{company}"] = Feed(f"controller/{company}", {company})
    return [feeds[name] for name in sorted(feeds)]


def answer(feeds: Sequence[Feed], answers: Collection[FeedAnswer]) -> None:
    """Gives each feed its answer; raises UsageError (2) for an answer that names none, with the known feeds."""
    for feed_answer in answers:
        if not (meant := [feed for feed in feeds if feed_answer.meant(feed)]):
            raise UsageError(
                "error.restore_no_feed", feed=feed_answer.feed, known=", ".join(feed.name for feed in feeds) or "-"
            )
        for feed in meant:
            feed.evidence = feed_answer.evidence


def state(settings: Settings, reader: Reader, backup: Backup, feeds: Sequence[Feed]) -> None:
    """Writes the gap of each feed, all or none, with its evidence where somebody answered. Sets `Feed.gap`.

    Those of an earlier call that was interrupted stay. Raises as `streams.client.publisher.transact` does.
    """
    known, at = _stated(reader, backup), now()
    gaps = {feed.name: _gap(backup, feed, at) for feed in feeds if feed.name not in known}
    # without a key a release that knows no gaps withholds everybody, and not a person of this name
    records = [Outgoing("consents", None, encode(gap), 0) for gap in gaps.values()]
    places = transact(settings, records) if records else []
    known |= dict(zip(gaps, map(_place, places), strict=True))
    for feed in feeds:
        feed.gap = known[feed.name]


def _of(record: Record, reference: Reference) -> tuple[str, Collection[str] | None] | None:
    """The feed that stated a record, and the companies that the record names; None for another kind of record."""
    try:
        fact = decode(record.topic, record.key, record.value)
    except Unreadable:
        return None  # it withholds by itself
    caller = record.header("gate-caller")
    named = f"caller/{caller}" if re.fullmatch(ID_PATTERN, caller) else None
    if isinstance(fact, Consent):
        return named or f"method/{fact.method}", _companies(reference, fact.controller_id, None)
    if isinstance(fact, Suppression):
        by = f"register/{fact.register_id}" if fact.register_id else f"suppression/{fact.kind}"
        return named or by, _companies(reference, fact.scope.controller, fact.scope.group)
    return None


def _companies(reference: Reference, company: str | None, group: str | None) -> Collection[str] | None:
    """The registered companies of a scope, None for all. A name that nobody registered may be anybody's."""
    if company in reference.controllers and group is None:
        return (str(company),)
    members = {member.id for member in reference.controllers.values() if member.group == group} if group else set()
    left = {member for member, groups in reference.left.items() if group in groups}
    return members | left if members and company is None else None


def _gap(backup: Backup, feed: Feed, at: str) -> FeedGap:
    return FeedGap(
        v=1,
        kind="gap",
        gap_id=f"{_mark(backup)}{sha256(feed.name.encode()).hexdigest()[:8]}",
        feed=feed.name,
        since=backup.since,
        recorded_at=at,
        controllers=feed.withholds,
        evidence_ref=feed.evidence,
    )


def _mark(backup: Backup) -> str:
    """The beginning of the ids of a backup's gaps."""
    return f"restored-{sha256(backup.model_dump_json().encode()).hexdigest()[:12]}-"


def _stated(reader: Reader, backup: Backup) -> dict[str, str]:
    """The places of the gaps that stand there already, by feed."""
    behind = {log.partition: log.end for log in backup.logs if log.topic == "consents"}
    places, mark = dict[str, str](), _mark(backup)
    for record in reader.read("consents", behind=behind):
        try:
            fact = decode("consents", record.key, record.value)
        except Unreadable:
            continue
        if isinstance(fact, FeedGap) and fact.gap_id.startswith(mark):
            places[fact.feed] = f"{record.topic}/{record.partition}/{record.offset}"
    return places


def _place(place: RecordMetadata) -> str:
    return f"{place.topic}/{place.partition}/{place.offset}"
