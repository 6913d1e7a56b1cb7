"""A plan: what a decision takes from campaign, policy and reference, worked out once for all pieces alike."""

from __future__ import annotations

from typing import NamedTuple, cast

import msgspec

from gatekeeper.deciding.case import Case, Covering
from gatekeeper.deciding.facts import NO_FACTS, Facts
from gatekeeper.deciding.reference import Reference
from gatekeeper.deciding.rules import channel, system
from gatekeeper.deciding.rules.system import Checkpoint
from gatekeeper.ground.cache import MEGABYTE, Cache
from gatekeeper.policy.packs import Packs
from gatekeeper.policy.policy import Policy
from gatekeeper.policy.reasons import Found
from schemas.events import Send
from schemas.values import Channel, MessageClass

_KEPT = MEGABYTE
"""Memory for the plans of an instant: a platform may invent a campaign for each send."""
_PLAN = 1024  # bytes that a plan takes with its terms, as an estimate


class Terms(NamedTuple):
    """The fields of a send that its plan depends on. The rules of a plan read these as the send, and can read no other.

    `named`: both ids that a send which asks for consent needs are there.
    """

    controller_id: str
    purpose: str
    channel: Channel
    message_class: MessageClass
    template_id: str
    mail_date: str | None
    ground: str | None
    country: str | None
    named: bool

    @classmethod
    def of(cls, send: Send) -> Terms:
        """The terms of a send."""
        return cls(
            send.controller_id,
            send.purpose,
            send.channel,
            send.message_class,
            send.template_id,
            send.mail_date,
            send.ground,
            send.contact_point.country,
            send.source_id is not None and send.request_id is not None,
        )

    @property
    def contact_point(self) -> Terms:
        """The contact point, which is read for its country alone."""
        return self

    @property
    def source_id(self) -> str | None:
        """Some id if both are there."""
        return "-" if self.named else None

    @property
    def request_id(self) -> str | None:
        """Some id if both are there."""
        return self.source_id


class Plan(msgspec.Struct, frozen=True):
    """All of a decision that does not depend on the person.

    `at`: milliseconds since the epoch. `policy`: the one in force, else the company's own. `ungoverned`: why none is
    in force. `covering`: as in `Case`. `unplaced`, `invalid`, `suspended`, `displayed`, `unreleased`: the reasons that
    the rules of these names find. The last three are empty for an invalid send, which is not judged further. `notes`:
    a suspension that does not stop the class of the send.
    """

    reference: Reference
    policy: Policy
    at: int
    checkpoint: Checkpoint
    covering: Covering
    ungoverned: Found | None
    unplaced: tuple[Found, ...]
    invalid: tuple[Found, ...]
    suspended: tuple[Found, ...] = ()
    displayed: tuple[Found, ...] = ()
    unreleased: tuple[Found, ...] = ()
    notes: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls, terms: Terms, reference: Reference, packs: Packs, at: int, *, checkpoint: Checkpoint = "intake"
    ) -> Plan:
        """The plan of all sends with these terms at an instant (milliseconds)."""
        send, country = cast("Send", terms), terms.country
        policy = packs.deciding(country, at)
        ungoverned = system.ungoverned(country, packs.bar(country, at)) if policy is None else None
        policy = policy or packs.at(at)
        case = Case.of(send, NO_FACTS, reference, policy, at * 1000)
        plan = cls(
            reference=reference,
            policy=policy,
            at=at,
            checkpoint=checkpoint,
            covering=case.covering,
            ungoverned=ungoverned,
            unplaced=system.unplaced(case),
            invalid=system.invalid(case, checkpoint),
        )
        if plan.invalid:
            return plan
        suspended, stopped = system.suspended(case), system.stops(case)
        return msgspec.structs.replace(
            plan,
            suspended=suspended if stopped else (),
            notes=frozenset() if stopped else frozenset(reason.code for reason in suspended),
            displayed=channel.displayed(case),
            unreleased=channel.unreleased(case),
        )

    def case(self, send: Send, facts: Facts) -> Case:
        """A send with the facts of its person, under this plan."""
        return Case(send, facts, self.reference, self.policy, self.at * 1000, self.covering)


class Plans:
    """The plans of one instant (milliseconds), under one state of the reference data and the packs."""

    def __init__(self, reference: Reference, packs: Packs, at: int) -> None:
        self._reference, self._revision, self._packs, self._at = reference, reference.revision, packs, at
        self._kept = Cache(_KEPT, self._plan, lambda _, __: _PLAN)

    def serve(self, reference: Reference, packs: Packs, at: int) -> bool:
        """True if these are the plans of that instant, reference data and packs."""
        mine = self._reference is reference and self._packs is packs
        return mine and (reference.revision, at) == (self._revision, self._at)

    def of(self, send: Send, checkpoint: Checkpoint = "intake") -> Plan:
        """The plan of a send. Sends with the same terms share it."""
        return self._kept((Terms.of(send), checkpoint))

    def _plan(self, of: tuple[Terms, Checkpoint]) -> Plan:
        return Plan.of(of[0], self._reference, self._packs, self._at, checkpoint=of[1])
