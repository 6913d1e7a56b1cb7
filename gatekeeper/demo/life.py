"""The life of one invented person with the retailer, told as facts: the meeting, the yes, the regrets."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from random import Random
from typing import Any

from pydantic import BaseModel

from gatekeeper.demo import addresses
from gatekeeper.demo.origins import GROUP, PURPOSE, RETAILER, Origin
from schemas.audit import Verdict
from schemas.events import Consent, Scope, SendContactPoint, Source, SourceContactPoint, Suppression

Event = tuple[str, BaseModel]
"""Topic (registry name) and the value to publish there; its key is `schemas.topics.subject_key`."""

OBJECTED, RETURNED, UNDELIVERABLE, DECEASED = 0.054, 0.006, 0.022, 0.008
BY_WEB = 0.5  # of the objections of those who had said yes: a click in the preference centre, a Withdrawn
CAME_BACK = 0.03  # of those who had said yes: took it back and later said yes again
TWO_CONTACT_POINTS = 0.35


class Life:
    """What happened between one person and the retailer, told as facts."""

    def __init__(self, recipient: str, *, origin: Origin, contact: SendContactPoint, rng: Random, today: date) -> None:
        self.recipient = recipient
        self.origin = origin
        self.contact = contact
        self.rng = rng
        self.today = today
        self.met = self._day(date.fromisoformat(origin.since), date.fromisoformat(origin.until or "9999-12-31"))

    def scripted(self, verdict: Verdict) -> Iterator[Event]:
        """Yields the facts of a person of the cast; who is to be asked never answered, so has a source only."""
        yield self._source(may_be_minor=True if verdict == "review" else None)
        if verdict != "confirm":
            yield self._given("form", self.met, ("postal",))
        if verdict == "block":
            yield self._objection("objection", self._later())

    def lived(self) -> Iterator[Event]:
        """Yields the facts of anybody else, by the shares of their origin."""
        origin, rng = self.origin, self.rng
        if origin.method is not None:
            yield self._source(may_be_minor=True if rng.random() * 1000 < origin.minors else None)
        # who wants the catalogue by post wants the e-mail too, where both were asked
        luck = rng.random() * 1000
        channels = tuple(name for name, share in (("postal", origin.postal), ("email", origin.email)) if luck < share)
        if channels:
            yield self._given("form", self.met, channels)
        if origin.name == "legacy":
            yield self._flag()
        yield from self._regrets(said_yes=bool(channels))

    def _regrets(self, *, said_yes: bool) -> Iterator[Event]:
        """Yields what came later: a no, a no taken back by a new yes, a piece that came back, a death."""
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

    def _source(self, *, may_be_minor: bool | None) -> Event:
        contacts = [SourceContactPoint(id=self.contact.id, token=self.contact.token)]
        if self.rng.random() < TWO_CONTACT_POINTS:
            mail = f"{self.recipient.lower()}@mail.example"
            contacts.append(SourceContactPoint(id=f"{self.recipient}-E", token=addresses.token(mail)))
        fields: dict[str, Any] = {"collected_by": RETAILER, **self.origin.told}
        return "sources", Source(
            v=1,
            source_id=f"S-{self.recipient}",
            recipient_id=self.recipient,
            method=self.origin.method or "unknown.legacy",
            acquired_at=self.met.isoformat(),
            contact_points=tuple(contacts),
            may_be_minor=may_be_minor,
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
            evidence_ref=f"scan-{self.recipient}-{occasion}",
            method="web" if again or self.origin.name == "ec" else "paper",
        )

    def _withdrawn(self, day: date) -> Event:
        return self._consent(
            "stop", "Withdrawn", day, controller_id=RETAILER, purpose="*", channels="*", method="preference_centre"
        )

    def _flag(self) -> Event:
        """Returns all that the old mainframe knew of a consent: a flag, with no day, no form and no word of how."""
        return "consents", Consent(
            v=1,
            kind="consent",
            record_id=f"K-{self.recipient}-flag",
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
        """Returns a stop: of the person, or, where the call centre or the post office knew no more, of the address."""
        by_address = kind in ("undeliverable", "refusal_returned") or self.rng.random() < 0.2
        scope = Scope(controller=RETAILER) if self.rng.random() < 0.7 else Scope(group=GROUP)
        if kind == "refusal_returned":
            scope = Scope(controller=RETAILER, purpose="*", channels=("postal",))
        return "suppressions", Suppression(
            v=1,
            kind=kind,
            suppression_id=f"X-{self.recipient}",
            received_at=self._at(day),
            token=self.contact.token if by_address else None,
            recipient_id=None if by_address else self.recipient,
            scope=Scope() if kind in ("deceased", "undeliverable") else scope,
        )

    def _later(self) -> date:
        return self._day(self.met + timedelta(days=30), self.today)

    def _consent(self, occasion: str, state: Any, day: date, **fields: Any) -> Event:
        at = self._at(day)
        return "consents", Consent(
            v=1,
            kind="consent",
            record_id=f"K-{self.recipient}-{occasion}",
            recipient_id=self.recipient,
            state=state,
            # a paper form carries a date only
            event_time=day.isoformat() if fields["method"] == "paper" else at,
            recorded_at=at,
            expressed_by="subject",
            **fields,
        )

    def _day(self, first: date, last: date) -> date:
        """Returns a day from first to last, but before today."""
        last = min(last, self.today - timedelta(days=1))
        return min(first, last) + timedelta(days=self.rng.randint(0, max((last - first).days, 0)))

    def _at(self, day: date) -> str:
        return f"{day.isoformat()}T{self.rng.randint(8, 20):02}:{self.rng.randint(0, 59):02}:00+09:00"
