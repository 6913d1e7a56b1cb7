"""The effective consent: which of a person's consents and refusals apply to a scope (domain rule 6.3)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from gatekeeper.deciding.case import Case, below
from gatekeeper.policy.methods import METHODS
from gatekeeper.policy.reasons import Found
from gatekeeper.times import LONG_AGO, Span, months_after
from schemas.events import GIVEN_STATES, NO_STATES, Consent, Source, Suppression

TIE, SUPERSEDED = "TIE_BROKEN_TO_DENY", "SUPERSEDED_BY_LATER_CONSENT"
EXPIRED = "CONSENT_EXPIRED"
SPEAKERS = ("subject", "guardian", "agent")
"""The speakers whose consent can lift a withdrawal, refusal or objection."""
CLICKED = "doi_confirm"
"""The method of the event that ends the round trip of a double opt-in."""
_ALSO_OF_SOURCES = ("CONTROLLER_MISMATCH", "PURPOSE_NOT_COVERED", "CONTACT_POINT_NOT_COVERED", "CONSENT_INVALIDATED")
_ENDS = ("Expired", "Invalidated", "Revoked")


class No(NamedTuple):
    """A withdrawal, refusal or objection: its time, and the contact point and channels that it names."""

    fact: str
    kind: str
    said: Span
    contact_point: str | None
    channels: frozenset[str]


class ConsentState(NamedTuple):
    """A person's consent events, evaluated for one send.

    `nos`: withdrawals and refusals that are not lifted; if there is one, no consent applies. `stands`: the proven
    consents, the latest first. `lacks`: why there is none: faults, near misses, or CONSENT_MISSING. `lifters`: consents
    that may lift further refusals. `guardian`: a guardian's consent applies; or none applies, and a guardian's consent
    in scope is reported with its faults.
    """

    nos: tuple[No, ...]
    stands: tuple[Consent, ...]
    lacks: tuple[Found, ...]
    lifters: tuple[Consent, ...]
    notes: frozenset[str]
    guardian: bool


class Consents:
    """The consent events of one case; `standing` evaluates them for some parties."""

    __slots__ = ("_clicked", "_ends", "_faults", "_standing", "case", "nos", "yeses")

    def __init__(self, case: Case) -> None:
        self.case = case
        self.yeses: list[Consent] = []
        self.nos: list[Consent] = []
        self._ends: list[Consent] = []
        self._clicked: dict[str, list[Consent]] = {}
        self._faults: dict[int, tuple[str, ...]] = {}
        self._standing: dict[tuple[str, ...], ConsentState] = {}
        for event in case.facts.consents:
            if event.event_type == "implied":
                continue
            if event.state in GIVEN_STATES:
                if self._too_late(event):
                    continue
                self.yeses.append(event)
                if event.confirms and _by(event) == CLICKED:
                    self._clicked.setdefault(event.confirms, []).append(event)
            elif event.state in NO_STATES:
                self.nos.append(event)
            if event.state in _ENDS or event.voids:
                self._ends.append(event)

    def standing(self, parties: tuple[str, ...]) -> ConsentState:
        """The consents for the purpose, channel and contact point of the send, given to one of `parties`."""
        found = self._standing.get(parties)
        if found is None:
            found = self._standing[parties] = self._stands(parties)
        return found

    def faults(self, event: Consent) -> tuple[str, ...]:
        """The faults of a consent, each as its reason code; () = proven (rule 6.3.2)."""
        found = self._faults.get(id(event))
        if found is None:
            found = self._faults[id(event)] = self._faulty(event)
        return found

    def evidence(self, event: Consent) -> str | None:
        """The evidence on file for a consent: its own, or that of the click that completed it."""
        return event.evidence_ref or next((one.evidence_ref for one in self._clicks(event) if one.evidence_ref), None)

    def when(self, event: Consent) -> Span:
        """The time of an event: an undated consent counts as long ago, an undated refusal as of its recording."""
        if event.event_time:
            return self.case.span(event.event_time)
        return LONG_AGO if event.state in GIVEN_STATES else self.case.span(event.recorded_at)

    def _too_late(self, event: Consent) -> bool:
        """True for a yes to the predecessor of a succession after its closing, which is not read (rule 7.5.24)."""
        deals = [source.succession for source in self.case.facts.sources if source.succession]
        return event.controller_id != self.case.send.controller_id and any(
            deal.predecessor == event.controller_id and self.when(event).first > self.case.span(deal.closed_at).last
            for deal in deals
        )

    def _stands(self, parties: tuple[str, ...]) -> ConsentState:
        case = self.case
        due = case.policy.needs_consent(case.send.channel)
        if not self.yeses and not self.nos:
            return ConsentState((), (), (_missing(case),) if due else (), (), frozenset(), False)
        givens = [(event, self.faults(event)) for event in self.yeses if not _differs(case, event, parties)]
        if len(givens) > 1:
            # the latest first, a day by its end; of equal times the expired one first
            givens.sort(key=lambda given: (self.when(given[0]).last, EXPIRED in given[1]), reverse=True)
        lifters = tuple([event for event, faults in givens if not faults and event.expressed_by in SPEAKERS])
        lacks = self._found(givens[0][1], givens[0][0]) if givens else ()
        if self.nos and (nos := [no_of(case, event) for event in self.nos if _covers_send(case, event, parties)]):
            left, notes = unlifted(case, nos, lifters)
        else:
            left, notes = (), frozenset()
        stands: list[Consent] = []
        if not left:
            stands = [event for event, faults in givens if not faults]
            if stands and (expired := [self.when(event).last for event, faults in givens if EXPIRED in faults]):
                # an expired consent ends the search: only consents that are certainly later apply
                stands = [event for event in stands if self.when(event).first > max(expired)]
        if not due or stands:
            lacks = ()
        elif left:
            later = bool(givens) and self.when(givens[0][0]).first > max(no.said.last for no in left)
            lacks = lacks if later else ()
        elif not givens:
            lacks = self._near_miss(parties) or (_missing(case),)
        by = [event.expressed_by for event in stands]
        if due and not stands:  # their faults are reported, and withhold the send
            by = [event.expressed_by for event, _ in givens]
        return ConsentState(left, tuple(stands), lacks, lifters, notes, "guardian" in by)

    def _faulty(self, event: Consent) -> tuple[str, ...]:
        case, faults = self.case, []
        policy, now, notice = case.policy, case.at, case.notice(event.notice_id)
        by = _by(event)
        by_import = "import" in (by, event.expressed_by)
        if not (event.event_time and (event.evidence_ref or (notice and not by_import) or self.evidence(event))):
            faults.append("CONSENT_EVIDENCE_MISSING")
        if event.expressed_by in ("family", "staff"):
            faults.append("CONSENT_BY_OTHER")
        begun: list[Consent] = []
        if by == CLICKED:
            begun = round_trip = self._begun(event)
        elif event.double_opt_in or case.send.channel in policy.double_opt_in_channels:
            round_trip = self._clicks(event)
        else:
            round_trip = [event]
        if not round_trip:
            faults.append("CONSENT_UNCONFIRMED")
        latest = now + policy.skew_ms * 1000
        for begins in (event.event_time, event.effective_from):
            if begins and case.span(begins).last > latest:
                faults.append("CONSENT_NOT_YET_VALID")
                break
        ends = [end.state for end in self._ends if self._ended(event, end)] if self._ends else []
        over = event.effective_to is not None and case.span(event.effective_to).last < now
        if over or "Expired" in ends or self._aged(event):
            faults.append(EXPIRED)
        if (notice and notice.invalidated_at) or (ends and any(state != "Expired" for state in ends)):
            faults.append("CONSENT_INVALIDATED")
        if begun:  # a click is as good as the consent that it completes
            faults += [fault for record in begun for fault in self.faults(record) if fault not in faults]
        return tuple(faults)

    def _clicks(self, event: Consent) -> list[Consent]:
        """The events that complete the double opt-in that `event` began."""
        return [one for one in self._clicked.get(event.record_id, ()) if self._completes(one, event)]

    def _begun(self, click: Consent) -> list[Consent]:
        """The consents that a click completes."""
        return [one for one in self.yeses if one.record_id == click.confirms and self._completes(click, one)]

    def _completes(self, click: Consent, event: Consent) -> bool:
        """True if a click completes a consent: same company, not earlier, not in the future, not ended."""
        said = self.when(click).last
        return (
            _by(event) != CLICKED
            and click.controller_id == event.controller_id
            and self.when(event).first <= said <= self.case.at + self.case.policy.skew_ms * 1000
            and not any(self._ended(click, end) for end in self._ends)
        )

    def _aged(self, event: Consent) -> bool:
        months = self.case.policy.consent_max_age_months
        if months is None:
            return False
        return (
            not event.event_time
            or months_after(self.when(event).first, months, self.case.policy.timezone) < self.case.at
        )

    def _ended(self, yes: Consent, end: Consent) -> bool:
        """True if an event ends a consent: it names the consent, or names none and came later in the same scope."""
        if end.voids:
            return end.voids == yes.record_id
        case = self.case
        earlier = self.when(yes).first <= case.span(end.event_time or end.recorded_at).last
        purpose = case.send.purpose if case.covered_by((str(yes.purpose),)) else yes.purpose
        return earlier and _covers(case, end, yes.controller_id, purpose, yes.channels, yes.contact_point_id)

    def _near_miss(self, parties: tuple[str, ...]) -> tuple[Found, ...]:
        """The differences of the nearest proven consent that no refusal covers (rule 6.3.7); () if there is none."""
        if not self.yeses:
            return ()
        others = {party for source in self.case.facts.sources for party in handed_by(source)}.difference(parties)
        candidates = [
            event
            for event in self.yeses
            if event.controller_id not in others
            and not self.faults(event)
            and not any(self.taken_back(event, no) for no in self.nos)
        ]
        if not candidates:
            return ()
        candidates.sort(key=lambda event: self.when(event).last, reverse=True)
        nearest = min(candidates, key=lambda event: len(_differs(self.case, event, parties)))
        return self._found(_differs(self.case, nearest, parties), nearest)

    def _found(self, codes: Iterable[str], event: Consent) -> tuple[Found, ...]:
        return tuple(Found(code, (event.record_id,), self._says(code, event)) for code in codes)

    def _says(self, code: str, event: Consent) -> dict[str, str]:
        """The values for the sentence that explains why a consent is not proven, or not for this send."""
        says, case = {"consent": event.record_id}, self.case
        if code in _ALSO_OF_SOURCES:
            says["case"] = "consent"
        if code == "CONTROLLER_MISMATCH":
            says["collector"] = case.party(event.controller_id)
        elif code == "CHANNEL_NOT_CONSENTED":
            says["channels"] = " ".join(sorted(event.channels))
        elif code == EXPIRED and event.effective_to and case.span(event.effective_to).last < case.at:
            says |= {"case": "until", "date": case.day(event.effective_to)}
        elif code == "CONSENT_NOT_YET_VALID":
            starts = [text for text in (event.event_time, event.effective_from) if text]
            says["date"] = case.day(max(starts, key=lambda text: case.span(text).last))
        return says

    def taken_back(self, yes: Consent, no: Consent) -> bool:
        """True if a refusal covers everything that a consent allows, and the consent is not later."""
        later_yes = self.when(yes).first > self.when(no).last
        return not later_yes and _covers(
            self.case, no, yes.controller_id, yes.purpose, yes.channels, yes.contact_point_id
        )


def handed_by(source: Source) -> Iterable[str]:
    """Yields the parties that had the data before the sender: the collector, the predecessor, the entruster."""
    if "collector" in METHODS[source.method].yes_to:
        yield source.collected_by
    if source.succession:
        yield source.succession.predecessor
    if source.entrustment:
        yield source.entrustment.entruster


def unlifted(case: Case, nos: Sequence[No], lifters: Sequence[Consent]) -> tuple[tuple[No, ...], frozenset[str]]:
    """The refusals that no later consent lifts, and the notes (rule 6.3.3). If times overlap, the refusal wins."""
    if not lifters:
        return tuple(nos), frozenset()
    left, notes = [], set()
    for no in nos:
        able = [case.span(event.event_time or "") for event in lifters if _names_as_much(event, no)]
        if any(said.first > no.said.last for said in able):
            notes.add(SUPERSEDED)
            continue
        left.append(no)
        if any(said.last >= no.said.first for said in able):
            notes.add(TIE)
    return tuple(left), frozenset(notes)


def no_of(case: Case, event: Consent) -> No:
    """The refusal that a withdrawal or refusal event expresses."""
    said = case.span(event.event_time or event.recorded_at)
    return No(event.record_id, event.state, said, _point(event.contact_point_id), _channels(event.channels))


def stop_of(case: Case, stop: Suppression) -> No:
    """The refusal that a suppression expresses, from the earlier of its times on.

    Only a consent after its receipt lifts it: a suppression dated back before a consent is still the later statement.
    """
    said = case.span(stop.received_at)
    if stop.effective_at:
        said = Span(min(said.first, case.span(stop.effective_at).first), said.last)
    if stop.kind == "refusal_returned":
        return No(stop.suppression_id, stop.kind, said, None, frozenset({"postal"}))
    named = stop.scope.contact_point, stop.scope.channels
    return No(stop.suppression_id, stop.kind, said, _point(named[0]), _channels(named[1]))


def _differs(case: Case, event: Consent, parties: tuple[str, ...]) -> tuple[str, ...]:
    """The differences between a consent and the send, each as its reason code; () = in scope."""
    send = case.send
    differs = []
    if event.controller_id not in parties:
        differs.append("CONTROLLER_MISMATCH")
    if not case.covered_by((str(event.purpose),)):
        differs.append("PURPOSE_NOT_COVERED")
    if send.channel not in event.channels:
        differs.append("CHANNEL_NOT_CONSENTED")
    if not case.was_here(event.contact_point_id, case.span(event.event_time) if event.event_time else LONG_AGO):
        differs.append("CONTACT_POINT_NOT_COVERED")
    return tuple(differs)


def _by(event: Consent) -> str:
    """The method by which a consent came, in lower case."""
    return event.method.lower()


def _covers_send(case: Case, event: Consent, parties: tuple[str, ...]) -> bool:
    send = case.send
    return case.is_here(event.contact_point_id) and any(
        _covers(case, event, party, send.purpose, (send.channel,), None) for party in parties
    )


def _covers(
    case: Case, no: Consent, party: str, purpose: str | None, channels: Iterable[str], point: str | None
) -> bool:
    """True if a refusal covers a scope, or any channel of it; `*` and an absent value cover everything."""
    named = _channels(no.channels)
    return (
        no.controller_id in ("*", party)
        and (no.purpose in (None, "*") or below(purpose or "", str(no.purpose)))
        and (not named or not named.isdisjoint(channels))
        and case.same_point(no.contact_point_id, point)
    )


def _names_as_much(event: Consent, no: No) -> bool:
    return no.contact_point in (None, event.contact_point_id) and no.channels <= set(event.channels)


def _missing(case: Case) -> Found:
    says = {"controller": case.sender, "purpose": case.send.purpose, "channel": case.send.channel}
    return Found("CONSENT_MISSING", (), says)


def _point(named: str | None) -> str | None:
    return None if named == "*" else named


def _channels(named: Iterable[str]) -> frozenset[str]:
    return frozenset() if "*" in named else frozenset(named)
