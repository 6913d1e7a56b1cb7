"""One send with all that decides it: what every rule is given to look at."""

from __future__ import annotations

from typing import NamedTuple

from gatekeeper import spans
from gatekeeper.known import Facts
from gatekeeper.policy import Policy
from gatekeeper.reference import Reference
from gatekeeper.spans import Span
from schemas.events import Batch, Notice, Send, Source, Template


class Case(NamedTuple):
    """A send, the facts of its recipient, the reference, the policy, and the instant in microseconds."""

    send: Send
    facts: Facts
    reference: Reference
    policy: Policy
    at: int

    def span(self, text: str) -> Span:
        """Returns what a written time means under the policy."""
        return spans.span(text, self.policy.timezone)

    def day(self, text: str) -> str:
        """Returns the calendar day of a written time, as the policy's country reads it."""
        return spans.day(self.span(text).first, self.policy.timezone)

    def notice(self, notice_id: str | None) -> Notice | None:
        """Returns the notice of that id; one that is named but unknown counts as absent."""
        return self.reference.notices.get(notice_id) if notice_id else None

    def batch(self, source: Source) -> Batch | None:
        """Returns the list that a source came with; one that is named but unknown counts as absent."""
        return self.reference.batches.get(source.batch_id) if source.batch_id else None

    def template(self, template_id: str) -> Template | None:
        """Returns the template of that id; one that is named but unknown counts as absent."""
        return self.reference.templates.get(template_id)

    @property
    def sender(self) -> str:
        """The sender as people know it: its name, else its id."""
        found = self.reference.controllers.get(self.send.controller_id)
        return (found.name if found else None) or self.send.controller_id

    def covers(self, source: Source) -> bool:
        """Returns whether the source covers the send's contact point: it gives that one, or none, which is all.

        What is printed and is no address of the channel is covered by nothing.
        """
        if self.facts.printed == "not_an_address":
            return False
        return not source.contact_points or self.names_contact_point(source)

    def names_contact_point(self, source: Source) -> bool:
        """Returns whether the source gives the send's contact point, in a spelling as near as the policy asks."""
        facts, id_ = self.facts, source.source_id
        given = id_ in facts.contact_point_from or facts.contact_point_near.get(id_, 0) >= self.policy.match_floor
        return given and any(point.id == self.send.contact_point.id for point in source.contact_points)


def route(source: Source) -> str:
    """Returns by what route the data came, as it must be stated to the person (取得方法)."""
    return source.route or source.method


def below(purpose: str, wide: str) -> bool:
    """Returns whether `purpose` is `wide` or below it: `a.b` is below `a`."""
    wide = wide.rstrip(".")
    return purpose == wide or purpose.startswith(f"{wide}.")
