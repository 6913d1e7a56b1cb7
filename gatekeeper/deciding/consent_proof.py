"""The proof of a consent: its time, its faults and its evidence (domain rules 6.3.2, 7.1.1, 7.1.2, 7.1.9, 7.1.10)."""

from __future__ import annotations

from gatekeeper.deciding import scope
from gatekeeper.deciding.arrival import ENDS
from gatekeeper.deciding.case import Case
from gatekeeper.deciding.children import as_child, earliest, guarded, minor
from gatekeeper.deciding.facts import GUARDIAN, HeldConsent
from gatekeeper.deciding.refusals import covers, covers_send
from gatekeeper.ground.times import BEFORE_ALL, LONG_AGO, Span, months_after
from schemas.events import GIVEN_STATES, NO_STATES, Notice

EVIDENCE, EXPIRED, AS_CHILD = "CONSENT_EVIDENCE_MISSING", "CONSENT_EXPIRED", "CONSENT_AS_CHILD"
SPEAKERS = ("subject", "guardian", "agent")
"""The speakers whose consent can lift a withdrawal, refusal or objection."""
CLICKED, IMPORT = "doi_confirm", "import"
"""The method of two events: the click that ends a double opt-in, and an event without its own statement."""
EVIDENCED = frozenset({"email_reply", "chat"})
"""The methods of a consent that counts only with evidence: an e-mail's answer, a word in a chat (rule 8.2.47)."""
METHODS = EVIDENCED | {"form", "paper", "phone", "counter", "postcard", "qr", "web", "app", IMPORT, CLICKED}
"""The methods by which a consent may come; any other counts as import (rule 7.1.10)."""


class Proof:
    """The consents given and the refusals of one person, and how well each consent is proven for the send."""

    __slots__ = ("_clicked", "_ends", "_faults", "_when", "_wide", "case", "nos", "yeses")

    def __init__(self, case: Case) -> None:
        self.case = case
        self.yeses: list[HeldConsent] = []
        self.nos: list[HeldConsent] = []
        self._ends: list[HeldConsent] = []
        self._wide: list[tuple[HeldConsent, HeldConsent]] = []
        self._clicked: dict[str, list[HeldConsent]] = {}
        self._faults: dict[tuple[int, int], tuple[str, ...]] = {}
        self._when: dict[int, Span] = {}
        for written in case.facts.consents:
            if unsaid(written):
                continue
            event = scope.read(case, written)
            if event is not written:
                self._wide.append((written, event))
            if event.state in GIVEN_STATES:
                if self._too_late(event):
                    continue
                self.yeses.append(event)
                if event.confirms and method(event) == CLICKED and speaks(event):
                    self._clicked.setdefault(event.confirms, []).append(event)
            elif event.state in NO_STATES:
                self.nos.append(event)
            if event.state in ENDS or event.voids:
                self._ends.append(event)

    def reads_wide(self, parties: tuple[str, ...]) -> bool:
        """True if a refusal, or an end of consents, covers the send only because it is read wide (rule 7.1.5)."""
        return any(covers_send(self.case, event, parties) and self.is_wide(event, parties) for _, event in self._wide)

    def is_wide(self, event: HeldConsent, parties: tuple[str, ...]) -> bool:
        """True if what this event names, as it was written, does not cover the send (rule 7.1.5)."""
        return any(read is event and not covers_send(self.case, written, parties) for written, read in self._wide)

    def when(self, event: HeldConsent) -> Span:
        """The time of an event; a consent counts from the earliest word of it (rule 7.1.2).

        That is its own time, its recording or its arrival. An undated consent counts as long ago, an undated refusal
        as of its recording.
        """
        span = self._when.get(id(event))
        if span is None:
            span = self._when[id(event)] = self._spoken(event)
        return span

    def said(self, event: HeldConsent) -> int | None:
        """The instant of the earliest word of a consent, in microseconds; None if it is undated."""
        return self.when(event).first if event.event_time else None

    def _spoken(self, event: HeldConsent) -> Span:
        span = self.case.span
        if event.state not in GIVEN_STATES:
            return span(event.event_time or event.recorded_at)
        if not event.event_time:
            return LONG_AGO
        return Span(earliest(self.case, event), span(event.event_time).last)

    def faults(self, event: HeldConsent, after: int = BEFORE_ALL) -> tuple[str, ...]:
        """The faults of a consent, each as its reason code; () = proven.

        `after`: microseconds since the epoch; what was given up to then neither completes nor lends a record.
        """
        key = id(event), after
        faults = self._faults.get(key)
        if faults is None:
            faults = self._faults[key] = self._faulty(event, after)
        return faults

    def evidence(self, event: HeldConsent, after: int = BEFORE_ALL) -> str | None:
        """The evidence on file for a consent: its own, or that of the click that completed it after `after`."""
        lent = (click.evidence_ref for click in self._clicks(event, after) if click.evidence_ref)
        return event.evidence_ref or next(lent, None)

    def methods(self, event: HeldConsent, after: int = BEFORE_ALL) -> frozenset[str]:
        """The methods by which a consent came: its own, and that of the click that completed it after `after`."""
        return frozenset((method(event), *map(method, self._clicks(event, after))))

    def lifts(self, event: HeldConsent, after: int) -> bool:
        """True if a consent that covers the send may lift a refusal: proven, said by the person, and not imported.

        A consent dated or recorded in the future lifts nothing until then (rule 7.1.2).
        """
        case = self.case
        return (
            event.expressed_by in SPEAKERS
            and method(event) != IMPORT
            and not self.faults(event, after)
            and all(case.span(text).first <= case.at for text in (event.event_time, event.recorded_at) if text)
        )

    def expired(self, event: HeldConsent) -> bool:
        """True if an Expired event or the policy's age ended a consent, and not its own end."""
        return self._aged(event) or any(end.state == "Expired" and self._ended(event, end) for end in self._ends)

    def over(self, event: HeldConsent) -> bool:
        """True if a consent is past its own end."""
        return event.effective_to is not None and self.case.span(event.effective_to).last < self.case.at

    def early(self, event: HeldConsent) -> Notice | None:
        """The notice of a consent that is older than this form; None if it is not."""
        notice = self.case.form_of(event)
        if notice is None or not notice.valid_from:
            return None
        return notice if self.when(event).first < self.case.span(notice.valid_from).first else None

    def taken_back(self, yes: HeldConsent, no: HeldConsent) -> bool:
        """True if a refusal covers everything that a consent allows, and the consent is not later or cannot lift it."""
        given, refused = self.when(yes), self.when(no)
        later_yes = given.first > refused.last
        if later_yes and guarded(self.case, no.expressed_by, refused):
            later_yes = not minor(self.case, yes, given)
        scope = yes.controller_id, yes.purpose, yes.channels, yes.contact_point_id
        return not later_yes and covers(self.case, no, *scope)

    def as_child(self, event: HeldConsent) -> bool:
        """True if the person, who is grown now, gave it, or what it completes, as a child (rule 8.2.43)."""
        begun = self._begun(event, BEFORE_ALL) if method(event) == CLICKED else ()
        return any(as_child(self.case, yes, self.when(yes)) for yes in (event, *begun))

    def _with_guardian(self, event: HeldConsent, after: int) -> bool:
        """True if a guardian's proven consent covers the send beside this one, given to the same company.

        A click by which a guardian completes a child's double opt-in is none: it is as good as that one.
        """
        return any(
            yes.expressed_by == GUARDIAN
            and not self.as_child(yes)
            and yes.controller_id in (event.controller_id, self.case.send.controller_id)
            and self._is_here(yes)
            and self.when(yes).first > after
            and not self.faults(yes, after)
            for yes in self.yeses
        )

    def _too_late(self, event: HeldConsent) -> bool:
        """True for a consent to the predecessor of a succession after its closing, which is not read (rule 7.5.24)."""
        deals = [source.succession for source in self.case.facts.sources if source.succession]
        return event.controller_id != self.case.send.controller_id and any(
            deal.predecessor == event.controller_id and self.when(event).first > self.case.span(deal.closed_at).last
            for deal in deals
        )

    def _faulty(self, event: HeldConsent, after: int) -> tuple[str, ...]:
        case, faults = self.case, []
        policy, now, notice = case.policy, case.at, case.form_of(event)
        by = method(event)
        by_import = IMPORT in (by, event.expressed_by)
        stated = event.evidence_ref or (notice and not by_import) or self.evidence(event, after)
        if not event.event_time or not stated or self.early(event) or unauthorised(event):
            faults.append(EVIDENCE)
        if event.expressed_by in ("family", "staff"):
            faults.append("CONSENT_BY_OTHER")
        if self.as_child(event) and not self._with_guardian(event, after):
            faults.append(AS_CHILD)
        begun: list[HeldConsent] = []
        if by == CLICKED:
            begun = round_trip = self._begun(event, after)
        elif event.double_opt_in or case.send.channel in policy.double_opt_in_channels:
            round_trip = self._clicks(event, after)
        else:
            round_trip = [event]
        if not round_trip:
            faults.append("CONSENT_UNCONFIRMED")
        latest = now + policy.skew_ms * 1000
        for begins in (event.event_time, event.effective_from):
            if begins and case.span(begins).last > latest:
                faults.append("CONSENT_NOT_YET_VALID")
                break
        if self.over(event) or self.expired(event):
            faults.append(EXPIRED)
        ended = any(end.state != "Expired" and self._ended(event, end) for end in self._ends)
        if (notice and notice.invalidated_at) or ended:
            faults.append("CONSENT_INVALIDATED")
        if begun:  # a click is as good as the consent that it completes
            faults += [fault for record in begun for fault in self.faults(record, after) if fault not in faults]
        return tuple(faults)

    def _clicks(self, event: HeldConsent, after: int) -> list[HeldConsent]:
        """The events that complete the double opt-in that `event` began."""
        clicks = self._clicked.get(event.record_id, ())
        return [click for click in clicks if self.when(click).first > after and self._completes(click, event)]

    def _begun(self, click: HeldConsent, after: int) -> list[HeldConsent]:
        """The consents that a click completes; a refusal in between leaves it nothing to complete.

        A click stands for no more than the consent that it completes. So that consent must cover the send.
        """
        if click.expressed_by == IMPORT:
            return []
        begun = [yes for yes in self.yeses if yes.record_id == click.confirms and self._completes(click, yes)]
        return [yes for yes in begun if self.when(yes).first > after and self._is_here(yes)]

    def _is_here(self, event: HeldConsent) -> bool:
        """True if a consent covers purpose, channel and contact point of the send."""
        case = self.case
        return (
            case.covered_by((str(event.purpose),), self.said(event))
            and case.send.channel in event.channels
            and case.was_here(event.contact_point_id, case.span(event.event_time) if event.event_time else LONG_AGO)
        )

    def _completes(self, click: HeldConsent, event: HeldConsent) -> bool:
        """True if a click completes a consent: same company, not earlier, not in the future, not ended."""
        clicked = self.when(click).last
        return (
            method(event) != CLICKED
            and click.controller_id == event.controller_id
            and self.when(event).first <= clicked <= self.case.at + self.case.policy.skew_ms * 1000
            and not any(self._ended(click, end) for end in self._ends)
        )

    def _aged(self, event: HeldConsent) -> bool:
        months = self.case.policy.consent_max_age_months
        if months is None:
            return False
        return (
            not event.event_time
            or months_after(self.when(event).first, months, self.case.policy.timezone) < self.case.at
        )

    def _ended(self, yes: HeldConsent, end: HeldConsent) -> bool:
        """True if an event ends a consent. It names the consent, or names none and came later in the same scope."""
        if end.voids:
            return end.voids == yes.record_id
        case = self.case
        if self.when(yes).first > case.span(end.event_time or end.recorded_at).last:
            return False
        if self._is_here(yes):  # another channel or contact point of it may have ended
            return covers_send(case, end, (yes.controller_id,))
        return covers(case, end, yes.controller_id, yes.purpose, yes.channels, yes.contact_point_id)


def method(event: HeldConsent) -> str:
    """The method by which a consent came, in lower case. One that is not listed or lacks evidence is import."""
    named = event.method.lower()
    return IMPORT if named not in METHODS or (named in EVIDENCED and not event.evidence_ref) else named


def unauthorised(event: HeldConsent) -> bool:
    """True if an agent or a guardian gave a consent without evidence of it (rules 7.1.10, 8.2.43)."""
    return event.expressed_by in ("agent", GUARDIAN) and not event.evidence_ref


def speaks(event: HeldConsent) -> bool:
    """True if the person said something, or somebody with proven authority."""
    return event.expressed_by in SPEAKERS and not unauthorised(event)


def unsaid(event: HeldConsent) -> bool:
    """True if an implied event is not read: a consent, or a refusal that answers no ask (rule 7.1.6)."""
    if event.event_type != "implied":
        return False
    return event.state in GIVEN_STATES or (event.state == "Refused" and event.answers is None)
