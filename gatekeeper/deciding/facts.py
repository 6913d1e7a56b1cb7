"""The facts of a person that decide() reads."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal, NamedTuple

import msgspec
from pydantic import Field

from schemas.audit import Address, Printing
from schemas.events import Ask, Consent, PersonEvent, ReviewPlace, Seen, Source, Suppression
from schemas.values import Channel, Code, Id, Line, Many, Model, RecipientId, Surrogate, Time, Version, ZonedTime

WHOLE_BATCH = "*"
"""Last part of the name of an unreadable record that stands for its whole batch and may concern anybody."""
SPOILT_FACTS = "spoilt/facts"
"""The fault of facts that changed on the disk since a worker wrote them."""
GUARDIAN = "guardian"
"""The speaker who speaks for a child."""
CERTAIN = 1000
"""The score of a stop that names the person, or a token of the send or of a source."""


class HeldConsent(Consent):
    """A consent event as the store holds it.

    `arrived`: milliseconds since the epoch when the log took it; None where no rule may read that (deciding/arrival).
    """

    arrived: int | None = None


class HeldSuppression(Suppression):
    """A suppression as the store holds it; `arrived` as for a consent event.

    `of_another`: a no of another id that meets the send, as the facts of its speaker read it (rule 8.1.36). Its id is
    of this pair, and it has no contact point. `word`: the state of the consent event that said it, None for a stop.
    `answers`: it answers an ask. `succeeded`: it names a predecessor of who said it, so it binds every sender.
    `nameless`: it meets only by a mailbox or a number, which carries no name. `confirmed`: two managers stand for its
    date, among the facts of who said it (rule 8.1.41). `staff`, `managers`: those who stand for its correction;
    managers are staff, too.
    """

    arrived: int | None = None
    of_another: bool | None = None
    word: Literal["Withdrawn", "Refused"] | None = None
    answers: bool | None = None
    succeeded: bool | None = None
    nameless: bool | None = None
    confirmed: bool | None = None
    staff: Many[Id] = ()
    managers: Many[Id] = ()


class HeldEvent(PersonEvent):
    """Another event of a person as the store holds it.

    `staff`, `managers`: those who stand for an event that takes a no away; managers are staff, too.
    """

    staff: Many[Id] = ()
    managers: Many[Id] = ()


class AskedElsewhere(Model):
    """A question under another id with a postal token of the send (rule 8.2.48). Its own id is of this pair."""

    v: Version
    kind: Literal["asked"]
    request_id: Id
    controller_id: Id
    at: ZonedTime


class HeldRelease(Model):
    """A release as the ledger and files hold it; a file may also take one back.

    `filed`: it stands in a file. On `acts` each is a release of one person. `by`: all who gave it. `act_id`, `review`:
    of the act, if known.
    The others as in `schemas.events.Release`.
    """

    v: Version
    kind: Literal["release", "release_revoked"]
    recipient_id: RecipientId
    campaign_id: Id
    channel: Channel
    decision_id: Id
    by: Annotated[Many[Surrogate], Field(min_length=1, max_length=4)] | Surrogate
    reason: Line
    at: Time
    reasons: Annotated[Many[Code], Field(max_length=64)] = ()
    had: Annotated[Many[Code], Field(max_length=64)] = ()
    evidence_ref: Surrogate | None = None
    bulk: Annotated[int, Field(ge=1, lt=2**31)] | None = None
    seen: Seen | None = None
    filed: bool = False
    act_id: Id | None = None
    review: ReviewPlace | None = None

    @property
    def people(self) -> frozenset[str]:
        """The ids of the people behind the release."""
        return frozenset((self.by,) if isinstance(self.by, str) else self.by)


class Hit(msgspec.Struct, frozen=True):
    """A suppression that names the person, with the certainty of the match (per mille).

    `elsewhere`: the suppression names only another contact point, which a source of the person names. `named`: the
    place among those printed of the name that it means, if that is not the first (rule 8.2.44).
    """

    stop: HeldSuppression
    score: int
    elsewhere: bool = False
    named: int | None = None

    @property
    def says(self) -> dict[str, str]:
        """The values of a sentence about it: which of the names printed it means, if that is not the first."""
        return {"name": str(self.named)} if self.named is not None else {}


class Ages(NamedTuple):
    """A person's age in completed years, at most 25; the birth date itself is no fact.

    `now`: on the day of the decision, None if no source tells a birth date. `sources`: the ids of those that do.
    `by_day`: on the days (YYYY-MM-DD) from which the person's consents may speak.
    """

    now: int | None = None
    sources: tuple[str, ...] = ()
    by_day: Mapping[str, int] = MappingProxyType({})

    def on(self, day: str) -> int:
        """The age on a day (YYYY-MM-DD). On an unlisted day it is that of the last listed day before it, else 0."""
        return max((years for listed, years in self.by_day.items() if listed <= day), default=0)


NO_AGES = Ages()
"""The ages of a person without a birth date in any source."""


class Facts(msgspec.Struct, frozen=True):
    """The facts of one person that bear on one send.

    `contact_point_from`: ids of the sources that name the send's contact point, under whatever id. Their token is
    that of the printed value.
    `points`: the contact points that any source ever gave, deleted ones too, each with the times of its acquisition.
    `addresses`: the addresses behind these ids; () if each id is one address, and the send's is the one on file.
    `deleted`: the deleted sources, which no lane reads.
    `asked`: the questions under other ids, which count for the cap alone.
    `late`: companies registered after a refusal that names them, with the arrival of the record (milliseconds).
    `left`: by company the groups that refusals name and that it has left, with the arrival of the record.
    `contact_point_near`: ids of the sources that name a similar spelling, with the score (per mille).
    `confirmed`: the nos whose date two managers stand for, as `deciding.recording.name` calls them.
    `printed`: result of comparing the send's delivery; None if the send has none, and its own token was used.
    `printed_text`: the keyed hash of what is printed, if it is unaccounted for.
    `further`: for each line of further text its keyed hashes; () if some of it never counts (rule 8.3.54).
    `unreadable`: records that could not be read; while there is one, the facts are incomplete.
    `snapshot`: all facts as canonical JSON of `schemas.audit.Snapshot`.
    `erased`: milliseconds since the epoch when the person was erased, None if never erased or readmitted since.

    The events have the fields of the contract's classes except recipient id, token and birth date. Reading one of
    these is an error.
    """

    sources: tuple[Source, ...]
    consents: tuple[HeldConsent, ...]
    suppressions: tuple[Hit, ...]
    contact_point_from: frozenset[str]
    unreadable: tuple[str, ...]
    snapshot: bytes
    events: tuple[HeldEvent, ...] = ()
    asks: tuple[Ask, ...] = ()
    asked: tuple[AskedElsewhere, ...] = ()
    releases: tuple[HeldRelease, ...] = ()
    contact_point_near: Mapping[str, int] = msgspec.field(default_factory=dict)
    points: Mapping[str, tuple[str | None, ...]] = msgspec.field(default_factory=dict)
    addresses: tuple[Address, ...] = ()
    deleted: tuple[Source, ...] = ()
    late: Mapping[str, int] = msgspec.field(default_factory=dict)
    left: Mapping[str, Mapping[str, int]] = msgspec.field(default_factory=dict)
    confirmed: frozenset[str] = frozenset()
    printed: Printing | None = None
    printed_text: str | None = None
    further: tuple[tuple[str, ...], ...] = ()
    erased: int | None = None
    ages: Ages = NO_AGES


NO_FACTS = Facts((), (), (), frozenset(), (), b"")
"""Of nobody: for what does not depend on the person."""


class KnownSources(NamedTuple):
    """The sources of a person. `read`: without deleted ones. `deleted`: these.

    `points`: the contact points that any source ever gave, deleted ones too, each with the times of its acquisition.
    """

    read: tuple[Source, ...]
    points: Mapping[str, tuple[str | None, ...]]
    deleted: tuple[Source, ...] = ()
