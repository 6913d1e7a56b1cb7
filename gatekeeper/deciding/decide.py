"""The one function that decides: pure, total, and the same for worker, commands and replay (domain §3.4, §6)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from gatekeeper.deciding import basis as bases
from gatekeeper.deciding import release
from gatekeeper.deciding.basis import Basis
from gatekeeper.deciding.case import Case, plain
from gatekeeper.deciding.consent import Consents
from gatekeeper.deciding.facts import Facts
from gatekeeper.deciding.plan import Plan
from gatekeeper.deciding.pointed import all_digests
from gatekeeper.deciding.rules import audience, channel, confirmation, objections, person, system
from gatekeeper.deciding.rules import source as source_rules
from gatekeeper.deciding.rules.message_class import unrequested
from gatekeeper.deciding.rules.system import Cleared
from gatekeeper.deciding.scope import ANOTHER_ID
from gatekeeper.deciding.statutory_exception import STATUTORY_EXCEPTION
from gatekeeper.policy.policy import Policy
from gatekeeper.policy.reasons import ABSENCE, CATALOGUE, DECISIVE, WILL, Found, ordered, verdict
from schemas.decision import Verdict
from schemas.events import Send
from schemas.values import OWED, MessageClass

STOP_CONTACT, OPT_OUT = "MUST_PRINT_STOP_CONTACT", "MUST_CARRY_OPT_OUT"
STATE_SOURCE, ENCLOSE_NOTICE = "MUST_STATE_SOURCE", "MUST_ENCLOSE_NOTICE"
ERASED, CORRECTION_UNPROVEN = "ERASED_BUT_OWED", "CORRECTION_UNPROVEN"
_NO_NOTES: frozenset[str] = frozenset()


class Decision(NamedTuple):
    """The decision on one send. `basis`: the id of its source. `at`: milliseconds since the epoch.

    `left_out`: absence reasons that a stronger reason replaces, and that would come back without it (rule 6.4.2).
    `consent`: the id of the consent that the basis stands on. `seen`: of each reason that a reviewer may release, the
    digests of the facts that it points to.
    """

    verdict: Verdict
    reasons: tuple[Found, ...]
    notes: tuple[str, ...]
    obligations: tuple[str, ...]
    basis: str | None
    at: int
    policy: Policy
    left_out: tuple[str, ...] = ()
    consent: str | None = None
    seen: Mapping[str, tuple[str, ...]] = MappingProxyType({})

    @property
    def primary(self) -> str | None:
        """The code of the first reason."""
        return self.reasons[0].code if self.reasons else None

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes of all reasons, in order."""
        return tuple(reason.code for reason in self.reasons)


def decide(
    plan: Plan,
    send: Send,
    facts: Facts,
    *,
    as_of: int | None = None,
    clearance: Cleared | None = None,
) -> Decision:
    """The decision whether this send may go out under its plan, with its reasons.

    `plan`: of this send, or of another one with the same terms; it holds the instant of the decision.
    `as_of`: the instant up to which all facts are known (milliseconds since the epoch); None = that of the plan.
    `clearance`: the live clearance of this recipient, campaign and channel, if there is one.
    Reads no clock and no file; the same arguments give the same decision. Nothing is cleared by an absence.
    """
    send = plain(send)
    case = plan.case(send, facts)
    ending: Sequence[Found] = system.unready(case, as_of)
    if plan.ungoverned and (not ending or send.message_class in OWED):
        ending = [*ending, plan.ungoverned]
    reasons = [*plan.unplaced, *system.silent(case), *system.twice(clearance, plan.checkpoint)]
    if send.message_class in OWED:
        invalid = plan.invalid or system.undelivered(case) or _unrequested(plan, case)
        return only(case.policy, plan.at, invalid) if invalid else _owed(case, [*ending, *reasons], clearance)
    if ending:
        return only(case.policy, plan.at, [*ending, *system.silent(case)])
    if ending := plan.invalid or system.undelivered(case):
        return only(case.policy, plan.at, ending)
    if send.message_class == "marketing":
        return _marketing(plan, case, reasons)
    if send.message_class == "confirmation":
        return _confirmation(plan, case, reasons)
    return _transactional(plan, case, reasons)


def _unrequested(plan: Plan, case: Case) -> tuple[Found, ...]:
    """A reply without its request, which is asked for at intake: an erasure calls no reply back."""
    return unrequested(case) if plan.checkpoint == "intake" else ()


def only(policy: Policy, at: int, reasons: Sequence[Found]) -> Decision:
    """A decision with these reasons only, without looking at anything else (rule 6.4.1)."""
    ranked = ordered(reasons)
    return Decision(verdict(ranked), ranked, (), (), None, at, policy)


def _marketing(plan: Plan, case: Case, reasons: list[Found]) -> Decision:
    """Judges an advertisement by all rules."""
    consents = Consents(case)
    basis = bases.choose(case, consents)
    facts = case.facts
    asked = facts.suppressions or facts.erased is not None or case.reference.flagged
    stops, lifted = objections.stopped(case, consents) if asked else ([], _NO_NOTES)
    reasons += plan.suspended
    reasons += stops
    reasons += basis.reasons
    reasons += _dated_back(case, basis, consents)
    reasons += _status(case, basis, consents)
    if case.send.audience or case.send.flags:
        reasons += audience.selected(case, consents)
    unwilling = not WILL.isdisjoint([reason.code for reason in reasons])
    if not unwilling:
        reasons += channel.opted_in(case, consents, basis.consent)
    reasons += plan.displayed
    reasons += plan.unreleased
    left_out: tuple[str, ...] = ()
    if unwilling or not DECISIVE.isdisjoint([reason.code for reason in basis.reasons]):
        left_out = tuple(sorted({reason.code for reason in reasons if reason.code in ABSENCE}))
        reasons = [reason for reason in reasons if reason.code not in ABSENCE]
    notes = plan.notes | lifted | basis.notes
    if consents.excepted and basis.consent is None:
        notes |= {STATUTORY_EXCEPTION}
    decision = _decided(case, reasons, "marketing", basis=basis, consents=consents, notes=notes, left_out=left_out)
    consented = basis.consent is not None or consents.excepted or not case.policy.needs_consent(case.send.channel)
    assert decision.verdict != "clear" or consented, "cleared without an effective consent"
    return decision


def _confirmation(plan: Plan, case: Case, reasons: list[Found]) -> Decision:
    """Judges a send that asks for consent (rule 6.6) by everything that bars asking, not by consent and notice."""
    send, consents = case.send, Consents(case)
    versions = [version for version in case.facts.sources if version.source_id == send.source_id]
    stops, lifted = objections.stopped(case, consents)
    reasons += plan.suspended
    reasons += stops
    reasons += objections.elsewhere(case, {reason.code for reason in stops}, bases.parties(case, versions))
    if versions:
        basis = bases.of(case, versions, consents)
    else:
        basis = Basis(None, source_rules.unknown(case, None), consents.standing((send.controller_id,)))
    source = basis.source
    if source is not None and (nos := confirmation.refusals(case, source, consents).left):
        reasons.append(confirmation.refused(case, nos))
    reasons += _dated_back(case, basis, consents)
    for reason in basis.reasons:
        if reason.code in WILL or (CATALOGUE[reason.code].group == "source" and reason.code in DECISIVE):
            reasons.append(reason)
    reasons += objections.taken_back(case, basis.standing, consents)  # whatever the lane of the source looks at
    reasons += _status(case, basis, consents)
    reasons += person.near_elsewhere(case, reasons)
    reasons += audience.selected(case, consents)
    reasons += plan.unreleased
    if source is not None and not any(case.covers(version) for version in versions):
        reasons.append(source_rules.uncovered(case, (source,)))
    reasons += confirmation.barred(case, source, consents)
    reasons += confirmation.defective(case)
    decision = _decided(case, reasons, "confirmation", basis=basis, notes=plan.notes | lifted)
    if decision.verdict != "confirm":
        return decision
    return decision._replace(verdict="block", obligations=())  # the person is not asked whether they may be asked


def _transactional(plan: Plan, case: Case, reasons: list[Found]) -> Decision:
    """Judges service mail: without consent, and not after an erasure until the person gives the address anew."""
    consents = Consents(case)
    reasons += plan.suspended
    reasons += objections.erased(case, consents, lifted=lambda since: person.given_since(case, since))
    reasons += person.reached(case)
    return _decided(case, reasons, "transactional", notes=plan.notes)


def _owed(case: Case, reasons: list[Found], clearance: Cleared | None) -> Decision:
    """Judges mail about safety and rights, which goes out (rule 7.3.16).

    Only an unreachable contact point and the same event a second time withhold it. All else is noted.
    """
    again = clearance is not None and clearance.event_id == case.send.event_id
    withholding = {"CONTACT_UNDELIVERABLE", "DUPLICATE_SEND"} if again else {"CONTACT_UNDELIVERABLE"}
    reasons += person.reached(case)
    notes = {reason.code for reason in reasons if reason.code not in withholding}
    erasures = objections.erased(case, Consents(case))
    if erasures:
        notes.add(ERASED)
    notes |= _of_another(case, [*reasons, *erasures])
    if case.unproven or person.unproven(case):
        notes.add(CORRECTION_UNPROVEN)
    bars = ordered([reason for reason in reasons if reason.code in withholding])
    return Decision(verdict(bars), bars, tuple(sorted(notes)), (), None, case.at // 1000, case.policy)


def _dated_back(case: Case, basis: Basis, consents: Consents) -> list[Found]:
    """The withdrawals and refusals that bear on the basis, were lifted, and were dated long before their recording."""
    nos = basis.standing.dated_back
    if basis.source is not None:
        nos += confirmation.refusals(case, basis.source, consents).dated_back
    return objections.dated_back(case, nos)


def _status(case: Case, basis: Basis, consents: Consents) -> Iterable[Found]:
    reasons = (*person.age(case, basis.standing), *person.unaccounted(case))
    return (*reasons, *person.reached(case), *person.near(case, consents)) if case.facts.suppressions else reasons


def _decided(
    case: Case,
    found: list[Found],
    message_class: MessageClass,
    *,
    basis: Basis | None = None,
    consents: Consents | None = None,
    notes: frozenset[str] = _NO_NOTES,
    left_out: tuple[str, ...] = (),
) -> Decision:
    """The decision on the reasons found, after releases and the conditions for asking (rule 6.5)."""
    reasons = ordered(found)
    notes |= _of_another(case, reasons)
    if case.facts.releases:
        remaining, released = release.apply(case, reasons)
        reasons, notes = ordered(remaining), notes | released
    if basis is not None:
        notes |= basis.standing.notes
    if case.facts.printed == "not_checked":
        notes |= {system.TOKEN_NOT_CHECKED}
    if case.unproven or person.unproven(case):
        notes |= {CORRECTION_UNPROVEN}
    worst = verdict(reasons)
    if worst == "confirm" and basis is not None and consents is not None:
        barred = confirmation.barred(case, basis.source, consents)
        if barred or not basis.covers:
            worst, reasons = "block", ordered((*reasons, *barred))
        else:
            reasons = ordered((*reasons, *confirmation.unprepared(case)))
    return Decision(
        worst,
        reasons,
        tuple(sorted(notes)) if notes else (),
        _obligations(case, worst, message_class, basis),
        basis.source.source_id if basis and basis.source else None,
        case.at // 1000,
        case.policy,
        left_out,
        basis.consent.record_id if basis and basis.consent else None,
        _seen(case, reasons) if worst == "review" else MappingProxyType({}),
    )


def _of_another(case: Case, reasons: Iterable[Found]) -> frozenset[str]:
    """NO_OF_ANOTHER_ID if a no of another id is among the facts of the reasons (rule 8.1.36)."""
    ids = {hit.stop.suppression_id for hit in case.facts.suppressions if hit.stop.of_another}
    return frozenset((ANOTHER_ID,)) if ids and any(not ids.isdisjoint(one.facts) for one in reasons) else _NO_NOTES


def _seen(case: Case, reasons: Iterable[Found]) -> Mapping[str, tuple[str, ...]]:
    return {reason.code: all_digests(case, reason) for reason in reasons if release.releasable(reason.code)}


def _obligations(case: Case, worst: Verdict, message_class: MessageClass, basis: Basis | None) -> tuple[str, ...]:
    """The obligations of the piece: the statements that it must carry (rule 6.9)."""
    if worst == "confirm":
        return (ENCLOSE_NOTICE,)
    if worst != "clear" or basis is None:
        return ()
    obligations = [STOP_CONTACT] if message_class == "marketing" else [ENCLOSE_NOTICE]
    if message_class == "marketing" and case.send.channel in channel.OPT_IN:
        obligations.append(OPT_OUT)
    if not basis.own:
        obligations.append(STATE_SOURCE)
    return tuple(obligations)
