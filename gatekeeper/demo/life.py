"""The history of one invented person with the retailer as facts: source, consent, withdrawal and objection."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from hashlib import blake2b
from itertools import chain
from random import Random
from typing import Any, NamedTuple

import orjson
from pydantic import BaseModel

from gatekeeper.demo.business import GROUP, MANAGERS, PURPOSE, RETAILER
from gatekeeper.demo.origins import Origin
from gatekeeper.identity import Identified, Stated, stops_of
from schemas.decision import Verdict
from schemas.events import Consent, Match, PersonEvent, Scope, Source, SourceContactPoint, Suppression

_JAPAN = timezone(timedelta(hours=9))
Event = tuple[str, BaseModel]
"""Topic (registry name) and the value to publish there; `schemas.topics.subject_key` gives the record's key."""

OBJECTED, RETURNED, UNDELIVERABLE, DECEASED = 0.054, 0.006, 0.022, 0.008
BY_WEB = 0.5  # share of objections after consent that are a Withdrawn, by a click in the preference centre
CAME_BACK = 0.03  # share of people with consent who withdraw and later consent again
ROUTES = {"phone": 45, "web": 25, "shop": 15, "letter": 5}  # weights of the routes of an objection without Withdrawn
ERASED_BEFORE = 0.15  # share of people on a purchased list who were erased before the list named them again
BORN = 0.5  # share of minors whose form asked for the birth date
CLICKED = 0.9  # share of people with consent to e-mail who followed the confirmation link
CLOCK_AHEAD = 0.001  # share of events from a device whose clock is ahead
LATE_HOURS = 7.8  # mean delay until an event is recorded; one in a hundred takes 36 hours
FLAGS = ("1", "1", "1", "可", "○", "Y", "", "9")
"""Values of the old mainframe's dm_flag; "" and "9" meant no consent."""


class Ids:
    """Ids of one person's records: the same for the same seed and person, without revealing either.

    The product requires this of every system that makes ids. The seed stands for the secret key that a company would
    use for such a hash.
    """

    def __init__(self, seed: int, recipient_id: str) -> None:
        self._key = blake2b(f"{seed}/{recipient_id}".encode()).digest()

    def of(self, what: str) -> str:
        """An id of 12 hex digits, different for each `what`."""
        return blake2b(what.encode(), key=self._key, digest_size=6).hexdigest()


class Contacts(NamedTuple):
    """Tokens of a person's postal address and mailbox (None: no mailbox), and whom a stop of that address binds."""

    home: Identified
    mail: Identified | None
    stopped: Callable[[], Stated]


def contact_id(ids: Ids, mark: str) -> str:
    """The id of a person's contact point: A for the postal address, E for the mailbox."""
    return f"{ids.of('contact')}-{mark}"


class Life:
    """History between one person and the retailer, as facts."""

    def __init__(
        self, recipient: str, *, ids: Ids, origin: Origin, contacts: Contacts, rng: Random, today: date
    ) -> None:
        self.recipient = recipient
        self.ids = ids
        self.origin = origin
        self.contacts = contacts
        self.rng = rng
        self.today = today
        self.met = self._day(date.fromisoformat(origin.since), date.fromisoformat(origin.until or "9999-12-31"))

    def scripted(self, verdict: Verdict) -> Iterator[Event]:
        """Yields the facts of a person of the cast; for `confirm` only a source, since that person never answered."""
        yield self._source(may_be_minor=True if verdict == "review" else None)
        if verdict != "confirm":
            yield self._given("form", self.met, ("postal",))
        if verdict == "block":
            yield self._objection("objection", self._later())

    def lived(self) -> Iterator[Event]:
        """Yields the facts of a person outside the cast, by the shares of their origin."""
        origin, rng = self.origin, self.rng
        if origin.method is not None:
            minor = rng.random() * 1000 < origin.minors
            born = f"{self.today.year - rng.randint(9, 14)}-04-02" if minor and rng.random() < BORN else None
            yield self._source(may_be_minor=True if minor and not born else None, birth_date=born)
        # one draw decides both channels: people who agree to the less popular one agree to both
        luck = rng.random() * 1000
        if luck < origin.postal:
            yield self._given("form", self.met, ("postal",))
        if luck < origin.email:
            yield from self._mail()
        if origin.name == "legacy" and rng.choice(FLAGS) not in ("", "9"):
            yield self._flag()
        if origin.method == "indirect.purchased_list" and rng.random() < ERASED_BEFORE:
            yield self._stop("erasure", self._day(date(2020, 1, 1), self.met), by_address=True)
        else:
            yield from self._regrets(said_yes=luck < max(origin.postal, origin.email))

    def asked(self) -> Iterator[Event]:
        """Yields the person's request for disclosure, of two weeks ago, which a manager recorded."""
        yield (
            "consents",
            PersonEvent(
                v=1,
                kind="request_received",
                recipient_id=self.recipient,
                record_id=f"D-{self.ids.of('request')}",
                request_id=self.ids.of("request"),
                asked="disclosure",
                at=f"{self.today - timedelta(days=14)}T10:00:00+09:00",
                by=MANAGERS[0],
            ),
        )

    def _regrets(self, *, said_yes: bool) -> Iterator[Event]:
        """Yields later facts: withdrawal, objection, consent after withdrawal, returned mail, or death."""
        luck, day = self.rng.random(), self._later()
        if (luck := luck - OBJECTED) < 0:
            if said_yes and self.rng.random() < BY_WEB:
                yield self._withdrawn(day)
            else:
                yield self._objection("objection", day)
        elif (luck := luck - RETURNED) < 0:
            yield self._objection("refusal_returned", day)
        elif (luck := luck - UNDELIVERABLE) < 0:
            yield self._objection("undeliverable", day)
        elif (luck := luck - DECEASED) < 0:
            yield self._objection("deceased", day)
        elif said_yes and luck < CAME_BACK:
            yield self._withdrawn(day)
            yield self._given("again", self._day(day + timedelta(days=1), self.today), ("postal",))

    def _source(self, *, may_be_minor: bool | None, birth_date: str | None = None) -> Event:
        contacts = [
            SourceContactPoint(
                id=contact_id(self.ids, mark),
                token=contact.token,
                readings=_readings(contact),
                beside=tuple(chain(*contact.beside)),
                further=contact.given,
            )
            for mark, contact in (("A", self.contacts.home), ("E", self.contacts.mail))
            if contact
        ]
        fields: dict[str, Any] = {"collected_by": RETAILER, **self.origin.told}
        return "sources", Source(
            v=1,
            source_id=f"S-{self.ids.of('source')}",
            recipient_id=self.recipient,
            method=self.origin.method or "unknown.legacy",
            acquired_at=self.met.isoformat(),
            contact_points=tuple(contacts),
            may_be_minor=may_be_minor,
            birth_date=birth_date,
            **fields,
        )

    def _given(self, occasion: str, day: date, channels: tuple[str, ...]) -> Event:
        controller, purpose = self.origin.agreed
        again = occasion == "again"
        return self._consent(
            occasion,
            "Given",
            day,
            controller_id=RETAILER if again else controller,
            purpose=PURPOSE if again else purpose,
            channels=channels,
            notice_id="ec-signup" if again else self.origin.told.get("notice_id"),
            evidence_ref=f"scan-{self.ids.of('scan')}-{occasion}",
            method="web" if again or self.origin.name == "ec" else "paper",
        )

    def _mail(self) -> Iterator[Event]:
        """Yields the consent to e-mail, and for most people the click that confirms the consent."""
        fields: dict[str, Any] = {"controller_id": RETAILER, "purpose": PURPOSE, "channels": ("email",)}
        fields |= {"notice_id": self.origin.told.get("notice_id"), "evidence_ref": f"log-{self.ids.of('log')}-mail"}
        yield self._consent("mail", "Given", self.met, method="web", double_opt_in=True, **fields)
        if self.rng.random() < CLICKED:
            fields["confirms"] = self._record_id("mail")
            yield self._consent("click", "Given", self.met, method="doi_confirm", **fields)

    def _withdrawn(self, day: date) -> Event:
        return self._consent(
            "stop", "Withdrawn", day, controller_id=RETAILER, purpose="*", channels="*", method="preference_centre"
        )

    def _flag(self) -> Event:
        """A consent from the old mainframe, which knew a flag only: no day, no form and no method."""
        return "consents", Consent(
            v=1,
            kind="consent",
            record_id=self._record_id("flag"),
            recipient_id=self.recipient,
            controller_id=RETAILER,
            state="Given",
            purpose=PURPOSE,
            channels=("postal",),
            recorded_at="2019-10-01T00:00:00+09:00",
            expressed_by="import",
            method="import",
        )

    def _objection(self, kind: Any, day: date) -> Event:
        """A suppression of the person, or of the address when the call centre or post office knew only that."""
        by_address = kind in ("undeliverable", "refusal_returned") or self.rng.random() < 0.2
        return self._stop(kind, day, by_address=by_address)

    def _stop(self, kind: Any, day: date, *, by_address: bool) -> Event:
        scope = Scope(controller=RETAILER) if self.rng.random() < 0.7 else Scope(group=GROUP)
        if kind == "refusal_returned":
            scope = Scope(controller=RETAILER, purpose="*", channels=("postal",))
        route = self.rng.choices(list(ROUTES), list(ROUTES.values()))[0] if kind == "objection" else kind
        stop = Suppression(
            v=1,
            kind=kind,
            suppression_id=f"X-{self.ids.of('stop')}-{route}",
            received_at=self._at(day),
            recipient_id=self.recipient,
            scope=Scope() if kind in ("deceased", "undeliverable", "erasure") else scope,
        )
        if not by_address:
            return "suppressions", stop
        said = stop.model_dump(mode="json", exclude_defaults=True, exclude={"recipient_id"})
        row, *_ = stops_of(said, self.contacts.stopped())
        return "suppressions", Suppression.model_validate_json(orjson.dumps({"v": 1, **row}))

    def _later(self) -> date:
        return self._day(self.met + timedelta(days=30), self.today)

    def _consent(self, occasion: str, state: Any, day: date, **fields: Any) -> Event:
        at = self._at(day)
        paper = fields["method"] == "paper"
        if not paper and self.rng.random() < CLOCK_AHEAD:
            event_time = self._at(self.today + timedelta(days=self.rng.randint(1, 30)))
        else:
            event_time = day.isoformat() if paper else at  # a paper form carries a date only
        return "consents", Consent(
            v=1,
            kind="consent",
            record_id=self._record_id(occasion),
            recipient_id=self.recipient,
            state=state,
            event_time=event_time,
            recorded_at=self._recorded(day),
            expressed_by="subject",
            **fields,
        )

    def _record_id(self, occasion: str) -> str:
        return f"K-{self.ids.of('consent')}-{occasion}"

    def _day(self, first: date, last: date) -> date:
        """A random day from `first` to `last`, always before today."""
        last = min(last, self.today - timedelta(days=1))
        return min(first, last) + timedelta(days=self.rng.randint(0, max((last - first).days, 0)))

    def _at(self, day: date) -> str:
        """A random instant of that day in Japan, in the formats of different systems; some omit the time zone."""
        local = datetime(day.year, day.month, day.day, self.rng.randint(0, 23), self.rng.randint(0, 59), tzinfo=_JAPAN)
        luck = self.rng.random()
        if luck < 0.1:
            return local.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return local.isoformat() if luck < 0.95 else local.replace(tzinfo=None).isoformat()

    def _recorded(self, day: date) -> str:
        """The instant at which an event of that day was recorded: most soon, a few days later, none after yesterday."""
        late = timedelta(hours=20) + timedelta(hours=self.rng.expovariate(1 / LATE_HOURS))
        at = datetime(day.year, day.month, day.day, tzinfo=_JAPAN) + late
        yesterday = datetime(self.today.year, self.today.month, self.today.day, tzinfo=_JAPAN) - timedelta(minutes=1)
        return min(at, yesterday).isoformat(timespec="seconds")


def _readings(contact: Identified) -> tuple[Match, ...]:
    return tuple(Match(token=token, score=score) for token, score in contact.readings)
