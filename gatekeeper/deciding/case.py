"""One send with everything that decides it: the input of every rule."""

from __future__ import annotations

from typing import NamedTuple, cast

from gatekeeper import times
from gatekeeper.deciding.facts import Facts, Hit
from gatekeeper.deciding.reference import Reference
from gatekeeper.policy.policy import Policy
from gatekeeper.times import Span
from schemas.events import Batch, Notice, Purpose, Send, Source, Suppression, Template


class Case(NamedTuple):
    """A send, the facts of its recipient, the reference, the policy, and the instant in microseconds."""

    send: Send
    facts: Facts
    reference: Reference
    policy: Policy
    at: int

    def span(self, text: str) -> Span:
        """The time span that a written time denotes under the policy."""
        return times.span(text, self.policy.timezone)

    def day(self, text: str) -> str:
        """The calendar day of a written time in the policy's time zone."""
        return times.day(self.span(text).first, self.policy.timezone)

    def notice(self, notice_id: str | None) -> Notice | None:
        """The notice with that id; an unknown id counts as no notice."""
        return self.reference.notices.get(notice_id) if notice_id else None

    def batch(self, source: Source) -> Batch | None:
        """The list that a source came with; an unknown id counts as no list."""
        return self.reference.batches.get(source.batch_id) if source.batch_id else None

    def template(self, template_id: str) -> Template | None:
        """The template with that id; an unknown id counts as no template."""
        return self.reference.templates.get(template_id)

    def purpose(self, code: str) -> Purpose | None:
        """The registered purpose with that code, None without one (domain rule 7.5.22)."""
        return self.reference.purposes.get(code)

    def marketing(self, purpose: str) -> bool:
        """True if the purpose is registered as marketing."""
        found = self.purpose(purpose)
        return found is not None and found.marketing

    @property
    def stops(self) -> tuple[Hit, ...]:
        """The suppressions in force: not corrected, not rejected, and not replaced by a later version.

        A version replaces another only if it was not received earlier and names the person at least as surely.
        """
        hits = self.facts.suppressions
        settling = [hit for hit in hits if _withdraws(hit.stop) or hit.stop.state == "upheld"]
        if not settling:
            return hits
        return tuple(
            hit
            for hit in hits
            if not _withdraws(hit.stop) and not any(self._settles(by, hit) for by in settling if by is not hit)
        )

    def _settles(self, by: Hit, hit: Hit) -> bool:
        if (by.stop.kind, by.stop.suppression_id) != (hit.stop.kind, hit.stop.suppression_id) or by.score < hit.score:
            return False
        settled, said = self.span(hit.stop.received_at), self.span(by.stop.received_at)
        later = said == settled or said.first >= settled.last
        return later and (_withdraws(by.stop) or is_open(hit.stop))

    @property
    def sender(self) -> str:
        """The sender's name as people know it."""
        return self.party(self.send.controller_id)

    def party(self, id_: str) -> str:
        """The company's name as people know it, else its id."""
        found = self.reference.controllers.get(id_)
        return (found.name if found else None) or id_

    def covers(self, source: Source) -> bool:
        """True if the source covers the send's contact point: the source names that point, or none, which means all.

        No source covers a printed value that is not an address of the channel.
        """
        if self.facts.printed == "not_an_address":
            return False
        return not source.contact_points or self.names_contact_point(source)

    def names_contact_point(self, source: Source) -> bool:
        """True if the source names the send's contact point, in a spelling as close as the policy requires."""
        facts, id_ = self.facts, source.source_id
        given = id_ in facts.contact_point_from or facts.contact_point_near.get(id_, 0) >= self.policy.match_floor
        if given:
            point = self.send.contact_point.id
            for named in source.contact_points:
                if named.id == point:
                    return True
        return False


class _Fields:
    """Plain attribute holder with the fields of a model."""


def plain(send: Send) -> Send:
    """The same send in a form whose fields a rule reads ten times as fast."""
    found, point = _Fields(), _Fields()
    point.__dict__ = vars(send.contact_point)
    found.__dict__ = {**vars(send), "contact_point": point}
    return cast("Send", found)


def is_open(stop: Suppression) -> bool:
    """True if a stop is a request for cessation that nobody has decided yet."""
    return stop.kind == "cessation" and stop.state in (None, "open", "active")


def _withdraws(stop: Suppression) -> bool:
    return stop.state == ("rejected" if stop.kind == "cessation" else "corrected")


def route(source: Source) -> str:
    """The route by which the data came, as it must be stated to the person (取得方法)."""
    return source.route or source.method


def below(purpose: str, wide: str) -> bool:
    """True if `purpose` equals `wide` or lies below it: `a.b` is below `a`."""
    wide = wide.rstrip(".")
    return purpose == wide or purpose.startswith(f"{wide}.")
