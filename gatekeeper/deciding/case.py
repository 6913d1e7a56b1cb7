"""One send with everything that decides it: the input of every rule."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple, Protocol, cast

import msgspec

from gatekeeper.deciding.facts import CERTAIN, Facts, HeldSuppression, Hit
from gatekeeper.deciding.redacted import objection
from gatekeeper.deciding.reference import Reference
from gatekeeper.deciding.stops import Stops, known_since
from gatekeeper.ground import times
from gatekeeper.ground.times import LONG_AGO, Span
from gatekeeper.policy.policy import Policy
from schemas.audit import Address
from schemas.events import Batch, Consent, Notice, Purpose, Send, Source, Template
from schemas.plain_send import PlainSend

UNREAD = ("not_an_address", "incomplete", "missing")
"""Results of comparing a delivery in which nothing printed can be bound to a contact point."""


class Covering(NamedTuple):
    """The registered purposes that cover one, which may be among them.

    `above`: the same, or above it and registered alike. `since`: the arrival of the purpose's own record, from which
    wider ones cover it, in microseconds; None = from always.
    """

    above: frozenset[str]
    since: int | None


class Known(Protocol):
    """The facts of a person and the reference data, by which a refusal is read."""

    @property
    def facts(self) -> Facts:
        """The facts of the person."""

    @property
    def reference(self) -> Reference:
        """The reference data that counts."""

    def span(self, text: str, /) -> Span:
        """The time span that a written time denotes."""


class Case(msgspec.Struct, frozen=True):
    """A send, the facts of its recipient, the reference, the policy, and the instant in microseconds.

    `covering`: the registered purposes that cover the send's.
    """

    send: Send
    facts: Facts
    reference: Reference
    policy: Policy
    at: int
    covering: Covering

    @classmethod
    def of(cls, send: Send, facts: Facts, reference: Reference, policy: Policy, at: int) -> Case:
        """The case of a send that has no plan (deciding/plan)."""
        return cls(send, facts, reference, policy, at, _covering(reference, send.purpose))

    def span(self, text: str) -> Span:
        """The time span that a written time denotes under the policy."""
        return times.span(text, self.policy.timezone)

    def day(self, text: str) -> str:
        """The calendar day of a written time in the policy's time zone."""
        return times.day(self.span(text).first, self.policy.timezone)

    def notice(self, notice_id: str | None, when: str | None) -> Notice | None:
        """The notice with that id as it was at a written time. An unknown id counts as no notice (rule 7.5.23).

        A day counts from its beginning. None as time: the fact that names the notice is undated. So is one whose time
        is still to come: nobody was shown a form then.
        """
        return self.reference.notice(notice_id, self.shown(when)) if notice_id else None

    def shown(self, when: str | None) -> int | None:
        """The instant (microseconds) from which a notice named at a written time is read; None without one."""
        instant = self.span(when).first if when else None
        return None if instant is not None and instant > self.at + self.policy.skew_ms * 1000 else instant

    def form_of(self, consent: Consent) -> Notice | None:
        """The form of a consent as the person can have seen it (rule 7.5.23)."""
        return self.notice(consent.notice_id, self.seen_at(consent))

    def seen_at(self, consent: Consent) -> str | None:
        """The written time at which the form of a consent was seen; None if the consent is undated.

        A consent that is dated after its recording was recorded when the form was seen.
        """
        if consent.event_time and self.span(consent.recorded_at).last < self.span(consent.event_time).first:
            return consent.recorded_at
        return consent.event_time

    def known_since(self, stop: HeldSuppression) -> int:
        """The instant from which a suppression was known, in microseconds (`stops.known_since`)."""
        return known_since(stop, self.span, self.at)

    def for_purpose(self, purpose: str) -> Case:
        """The same case with a send of another purpose."""
        send = _Fields()
        send.__dict__ = {**{name: getattr(self.send, name) for name in Send.model_fields}, "purpose": purpose}
        return Case.of(cast("Send", send), self.facts, self.reference, self.policy, self.at)

    def batch(self, source: Source) -> Batch | None:
        """The list that a source came with; an unknown id counts as no list."""
        return self.reference.batch(source.batch_id) if source.batch_id else None

    def template(self, template_id: str, when: str | None = None) -> Template | None:
        """The template with that id, now or as it was at a written time. An unknown id counts as no template."""
        return self.reference.template(template_id, self.span(when).first if when else self.at)

    def purpose(self, code: str) -> Purpose | None:
        """The registered purpose with that code, None without one (domain rule 7.5.22)."""
        return self.reference.purposes.get(code)

    def marketing(self, purpose: str) -> bool:
        """True if the purpose is registered as marketing."""
        registered = self.purpose(purpose)
        return registered is not None and registered.marketing

    def covered_by(self, named: Collection[str], said: int | None) -> bool:
        """True if one of these purposes covers the send's.

        So of a consent, terms of joint use, and purposes told, taken over or entrusted (rule 7.1.8). A purpose above
        the send's covers it if the send's was registered by the end of that day (rule 8.2.45).
        `said`: the instant of the yes or the source, or of the terms' arrival (microseconds); None if undated.
        """
        if self.send.purpose in named:
            return True
        if self.covering.above.isdisjoint(named):
            return False
        since, zone = self.covering.since, self.policy.timezone
        return since is None or (said is not None and since <= times.span(times.day(said, zone), zone).last)

    def stated_by(self, notice: Notice | None, shown: int | None) -> bool:
        """True if a notice covers the send's purpose, as `covered_by` for the arrival of its version.

        `shown`: the instant (microseconds) at which it was in force; None = undated.
        """
        if notice is None:
            return False
        return self.covered_by(notice.purposes, self.reference.notice_arrived(notice.id, shown) * 1000)

    def told_by(self, source: Source, purposes: Collection[str]) -> bool:
        """True if purposes that came with a source cover the send's."""
        return self.covered_by(purposes, self.span(source.acquired_at).first if source.acquired_at else None)

    @property
    def stops(self) -> tuple[Hit, ...]:
        """The suppressions in force: not taken away or ended, and not replaced by a later version.

        A flag of a list that no rule reads is an objection of its people (rule 8.3.52).
        """
        hits = tuple(hit for hit in self._said.in_force() if not self._is_over(hit.stop))
        return (*hits, *self._flags()) if self.reference.flagged else hits

    def _flags(self) -> Iterator[Hit]:
        for id_ in dict.fromkeys(source.batch_id for source in self.facts.sources):
            if id_ is not None and (arrived := self.reference.flagged.get(id_)) is not None:
                yield Hit(objection(f"batch/{id_}", times.instant(arrived)), CERTAIN)

    @property
    def unproven(self) -> bool:
        """True if a stop in force would be taken away, if enough people stood for it."""
        return self._said.unproven()

    @property
    def _said(self) -> Stops:
        return Stops.of(self.facts, self.span, self.at, self.policy.match_floor, self.policy.skew_ms)

    def _is_over(self, stop: HeldSuppression) -> bool:
        """True for an objection past its last day, which binds and ends nothing (rule 8.1.38)."""
        return stop.effective_until is not None and self.span(stop.effective_until).last < self.at

    @property
    def sender(self) -> str:
        """The sender's name as people know it."""
        return self.party(self.send.controller_id)

    def party(self, id_: str) -> str:
        """The company's name as people know it, else its id."""
        controller = self.reference.controllers.get(id_)
        return (controller.name if controller else None) or id_

    def covers(self, source: Source) -> bool:
        """True if the source covers the send's contact point, by itself or by sources that name it for it.

        A source without contact points covers those that an active own source names, or one with the same origin. The
        origin is method, provider and list (rule 7.4.18). No source covers a printed value that is no address.
        """
        if self.facts.printed in UNREAD:
            return False
        if source.contact_points:
            return self.names_contact_point(source)
        return any(
            (other.method.startswith("direct.") or _same_origin(source, other))
            and self._is_active(other)
            and self.names_contact_point(other, derived=False)
            for other in self.facts.sources
        )

    def _is_active(self, source: Source) -> bool:
        """True if neither the source nor its list is quarantined or unlawful."""
        batch = self.batch(source)
        return source.state in (None, "active") and (batch is None or not (batch.state == "quarantined" or batch.flags))

    def names_contact_point(self, source: Source, *, derived: bool = True) -> bool:
        """True if the source names the send's contact point, in a spelling as close as the policy requires.

        `derived`: also one that was got by matching with entrusted data.
        """
        facts, id_ = self.facts, source.source_id
        given = id_ in facts.contact_point_from or facts.contact_point_near.get(id_, 0) >= self.policy.match_floor
        if given:
            for point in source.contact_points:
                if self.is_here(point.id) and (derived or point.derived_from is None):
                    return True
        return False

    def is_here(self, point: str | None) -> bool:
        """True if a contact point of a refusal may be the send's: the same id, or ever the same address.

        None and `*` are every contact point (rule 7.1.7).
        """
        if point in (None, "*", self.send.contact_point.id):
            return True
        floor = self.policy.match_floor
        return any(
            address.id == point and (address.unknown or address.here >= floor) for address in self.facts.addresses
        )

    def was_here(self, point: str | None, spoken: Span) -> bool:
        """True if a contact point that a consent names was the send's when the person said so (rule 7.1.7).

        It means the newest address that a source gave for it by then, else the first. Of several of one day, it means
        none.
        """
        if point is None or not self.facts.addresses:
            return point is None or (point == self.send.contact_point.id and point in self.facts.points)
        given = [address for address in self.facts.addresses if address.id == point]
        by_then = [address for address in given if self._acquired(address).last <= spoken.last]
        days = [self._day_of(address) for address in by_then or given]
        day = max(days, default="") if by_then else min(days, default="")
        meant = [address for address in by_then or given if self._day_of(address) == day]
        return (
            len({address.n for address in meant}) == 1
            and max(address.here for address in meant) >= self.policy.match_floor
        )

    def same_point(self, one: str | None, other: str | None) -> bool:
        """True if two contact points are one, or ever were one address; None and `*` are every contact point."""
        if one == other or one in (None, "*") or other in (None, "*"):
            return True
        if any(address.unknown for address in self.facts.addresses if address.id in (one, other)):
            return True
        numbers = [{address.n for address in self.facts.addresses if address.id == point} for point in (one, other)]
        return not numbers[0].isdisjoint(numbers[1])

    def _acquired(self, address: Address) -> Span:
        """The time since when an address is on file; long ago if the source does not say."""
        return self.span(address.acquired_at) if address.acquired_at else LONG_AGO

    def _day_of(self, address: Address) -> str:
        return self.day(address.acquired_at) if address.acquired_at else ""


def _covering(reference: Reference, purpose: str) -> Covering:
    registered = reference.purposes.registered
    own = registered.get(purpose)
    alike = own is not None and own.purpose.marketing
    above = (code for code, entry in registered.items() if below(purpose, code) and entry.purpose.marketing == alike)
    return Covering(frozenset(above), None if own is None or own.always else own.arrived * 1000)


class _Fields:
    """Plain attribute holder with the fields of a model."""


def plain(send: Send) -> Send:
    """The same send in a form whose fields a rule reads ten times as fast."""
    if isinstance(send, PlainSend):
        return send
    copy, point = _Fields(), _Fields()
    point.__dict__ = vars(send.contact_point)
    copy.__dict__ = {**vars(send), "contact_point": point}
    return cast("Send", copy)


def _same_origin(one: Source, other: Source) -> bool:
    """True if two sources came in the same way, from the same provider, with the same list; absent equals nothing."""
    return None not in (one.provided_by, one.batch_id) and (one.method, one.provided_by, one.batch_id) == (
        other.method,
        other.provided_by,
        other.batch_id,
    )


def route(source: Source) -> str:
    """The route by which the data came, as it must be stated to the person (取得方法)."""
    return source.route or source.method


def below(purpose: str, wide: str) -> bool:
    """True if `purpose` equals `wide` or lies below it: `a.b` is below `a`."""
    wide = wide.rstrip(".")
    return purpose == wide or purpose.startswith(f"{wide}.")
