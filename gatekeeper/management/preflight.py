"""Forecast of a campaign: its funnel, the reasons with their remedies, and people who had left and are listed again.

Pure counting: takes sends with their facts and decisions, and gives sums. This module decides nothing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from gatekeeper.deciding.case import Case
from gatekeeper.deciding.consent import Consents
from gatekeeper.deciding.decide import Decision
from gatekeeper.deciding.facts import Facts, HeldConsent
from gatekeeper.deciding.reference import Reference
from gatekeeper.deciding.refusals import No, no_of, stop_of
from gatekeeper.deciding.release import releasable
from gatekeeper.policy.reasons import CATALOGUE, WILL, Remedy
from schemas.decision import Verdict
from schemas.events import Send

Grade = Literal["A", "B", "C", "D", "-"]
"""Grade of a consent's evidence.

* A: proof with the sender's own form version
* B: proof without that form
* C: a dated record without proof
* D: a bare flag
* -: no consent for this purpose and channel
"""

GRADES: tuple[Grade, ...] = ("A", "B", "C", "D", "-")
NO_SOURCE = "none"
"""Acquisition method of a send without a source on file."""

ENDING = frozenset({"FACTS_UNAVAILABLE", "FACTS_STALE", "POLICY_UNKNOWN", "EVENT_INVALID", "DECISION_FAILED"})
"""Reasons that end the check of a send (rule 6.4.1), so that other reasons stay unknown until these are cured."""
ONE_RECORD = (
    frozenset({"SOURCE_CHECK_MISSING", "PROVIDER_BASIS_MISSING"}),  # record of the check of the provider (APPI 30)
    frozenset({"CONSENT_EVIDENCE_MISSING", "EMAIL_CONSENT_RECORD_MISSING"}),  # proof of the consent
)
"""Reasons that one corrected record cures together."""


class Return(msgspec.Struct, frozen=True):
    """Return of a person who had left: the reason they left for, and the later source that brought them back.

    `source` is None where the person was erased and no later source is dated.
    """

    left: str
    method: str
    source: str | None
    batch: str | None


@dataclass(frozen=True, slots=True)
class Checked:
    """One line of a campaign with its decision.

    `send`: None if the line could not be read. `duplicate_of`: the number of the earlier line with the same piece.
    """

    line: int
    decision: Decision
    send: Send | None = None
    facts: Facts | None = None
    duplicate_of: int | None = None


class Weighed(msgspec.Struct, frozen=True):
    """One line as the sums need it, without its send and facts.

    `curing`: the remedies of each reason that would clear the send alone, in the order of reasons. `evidence`: the
    acquisition method, and the grade of the person's consents; None if the line has none to grade.
    """

    verdict: Verdict
    primary: str
    curing: Mapping[str, tuple[Remedy, ...]]
    duplicate: bool
    recipient_id: str | None = None
    evidence: tuple[str, Grade] | None = None
    returned: Return | None = None


def weigh(checked: Checked, reference: Reference) -> Weighed:
    """The line as `Preflight.count` takes it."""
    decision, send, facts = checked.decision, checked.send, checked.facts
    curing, primary, duplicate = cures(decision), decision.primary or "", checked.duplicate_of is not None
    if send is None or facts is None or not ENDING.isdisjoint(decision.codes):
        return Weighed(decision.verdict, primary, curing, duplicate)
    case = Case.of(send, facts, reference, decision.policy, decision.at * 1000)
    graded = (method(decision, facts), grade(case)) if send.message_class == "marketing" else None
    returned = came_back(case, decision)
    return Weighed(decision.verdict, primary, curing, duplicate, send.recipient_id, graded, returned)


@dataclass(slots=True)
class Weight:
    """Weight of a reason: the sends it withholds, alone or with others, and those that its cure alone would clear."""

    withheld: int = 0
    recoverable: int = 0
    by: Counter[Remedy] = field(default_factory=Counter)


class Preflight:
    """Sums over a campaign's decided lines; add each line once."""

    def __init__(self) -> None:
        self.funnel: Counter[tuple[Verdict, str]] = Counter()
        self.cured: Counter[Remedy] = Counter()
        self.evidence: dict[str, Counter[Grade]] = defaultdict(Counter)
        self.returned: dict[tuple[str, str, str | None], set[str]] = defaultdict(set)
        self.duplicates = 0
        self._weights: dict[str, Weight] = defaultdict(Weight)

    @property
    def sends(self) -> int:
        """The number of lines added."""
        return sum(self.funnel.values())

    @property
    def withheld(self) -> int:
        """The number of lines that are not clear."""
        return sum(n for (verdict, _), n in self.funnel.items() if verdict != "clear")

    def add(self, checked: Checked, reference: Reference) -> Return | None:
        """Adds one line; gives its person's return, None if that person had not left and come back."""
        weighed = weigh(checked, reference)
        self.count(weighed)
        return weighed.returned

    def count(self, line: Weighed) -> None:
        """Adds one line that is weighed already."""
        self.funnel[line.verdict, line.primary] += 1
        self.duplicates += line.duplicate
        self.cured.update({remedy for remedies in line.curing.values() for remedy in remedies})
        for code, remedies in line.curing.items():
            weight = self._weights[code]
            weight.withheld += 1
            weight.recoverable += bool(remedies)
            weight.by.update(remedies)
        if line.evidence:
            acquired, best = line.evidence
            self.evidence[acquired][best] += 1
        if (back := line.returned) and line.recipient_id:
            self.returned[back.left, back.method, back.batch].add(line.recipient_id)

    def ranked(self) -> list[tuple[str, Weight]]:
        """The reasons with their weights: those that withhold most first, then those whose cure clears most."""
        return sorted(self._weights.items(), key=lambda pair: (-pair[1].withheld, -pair[1].recoverable, pair[0]))

    def sources(self) -> list[tuple[str, Counter[Grade]]]:
        """The grades of the sends' evidence by acquisition method, the most frequent method first."""
        return sorted(self.evidence.items(), key=lambda pair: (-pair[1].total(), pair[0]))

    def returners(self) -> list[tuple[tuple[str, str, str | None], set[str]]]:
        """Recipient ids of returned people by (reason for leaving, acquisition method, batch), most people first."""
        return sorted(self.returned.items(), key=lambda pair: (-len(pair[1]), pair[0][:2], pair[0][2] or ""))


def cures(decision: Decision) -> Mapping[str, tuple[Remedy, ...]]:
    """The remedies of each reason that would clear the send alone."""
    return {
        code: tuple(remedy for remedy in CATALOGUE[code].remedy if _clears(decision, code, remedy))
        for code in decision.codes
    }


def _clears(decision: Decision, code: str, remedy: Remedy) -> bool:
    codes = set(decision.codes)
    if not ENDING.isdisjoint(codes) or codes - cured(decision, code, remedy):
        return False
    # a new act of the person also supplies the consent whose absence was left out; a corrected record does not
    return remedy not in ("F", "W") or not decision.left_out


def cured(decision: Decision, code: str, remedy: Remedy) -> frozenset[str]:
    """The reasons of a decision that one remedy of `code` removes.

    C: consent on a complete form removes each reason that asking may cure. N: a new act of the person removes these,
    and those that only such an act cures. R: a release removes each reason that a reviewer may release.
    F: a corrected record removes the reasons that depend on it. W: waiting removes `code` alone.
    """
    kinds = [CATALOGUE[reason] for reason in decision.codes]
    match remedy:
        case "C" if decision.verdict != "block":  # a condition for asking failed, or a reason forbids it
            return frozenset(kind.code for kind in kinds if "C" in kind.remedy)
        case "N":
            return frozenset(kind.code for kind in kinds if "C" in kind.remedy or "N" in kind.remedy)
        case "R" if decision.verdict == "review":
            return frozenset(kind.code for kind in kinds if releasable(kind.code))
        case "F" if CATALOGUE[code].group != "lifecycle":  # in `lifecycle` a corrected fact only allows asking again
            return next((record for record in ONE_RECORD if code in record), frozenset((code,)))
        case "W":
            return frozenset((code,))
    return frozenset()


def grade(case: Case) -> Grade:
    """The best grade of the person's consents to the send's purpose and channel, with any controller."""
    consents = Consents(case)
    grades = [
        _grade(case, event, consents)
        for event in consents.proof.yeses
        if event.purpose == case.send.purpose and case.send.channel in event.channels
    ]
    return min(grades, key=GRADES.index, default="-")


def _grade(case: Case, event: HeldConsent, consents: Consents) -> Grade:
    if consents.proof.evidence(event, consents.standing((event.controller_id,)).after):
        notice = case.notice(event.notice_id, event.event_time)
        own = notice is not None and notice.controller_id == case.send.controller_id
        return "A" if own and event.event_time else "B"
    return "C" if event.event_time else "D"


def came_back(case: Case, decision: Decision) -> Return | None:
    """The return of a person whose refusal still holds; None for a person who never left, or never came back.

    An erased person should not be listed at all, so each listing counts. Others count as returned if a source came
    after the refusal. It may have the same id, or another id with a common contact token.
    """
    left = [reason for reason in decision.reasons if reason.code in WILL]
    if not left:
        return None
    named = frozenset(fact for reason in left for fact in reason.facts)
    since = min((no.said.last for no in _nos(case) if no.fact in named), default=None)
    later = [
        source
        for source in case.facts.sources
        if since is not None and source.acquired_at and case.span(source.acquired_at).first > since
    ]
    erased = any(reason.code == "SUBJECT_ERASED" for reason in left)
    if not later and not erased:
        return None
    source = max(later, key=lambda source: (case.span(str(source.acquired_at)), source.source_id)) if later else None
    return Return(
        left="SUBJECT_ERASED" if erased else left[0].code,
        method=source.method if source else method(decision, case.facts),
        source=source.source_id if source else None,
        batch=source.batch_id if source else None,
    )


def _nos(case: Case) -> Iterator[No]:
    yield from (stop_of(case, hit.stop) for hit in case.facts.suppressions)
    yield from (no_of(case, event) for event in case.facts.consents)


def method(decision: Decision, facts: Facts | None) -> str:
    """The acquisition method of a decision's basis."""
    sources = facts.sources if facts else ()
    return next((source.method for source in sources if source.source_id == decision.basis), NO_SOURCE)
