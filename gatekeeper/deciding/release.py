"""A reviewer's release: when it is allowed, and its effect on later decisions (domain rules 6.8, 7.2)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from gatekeeper.deciding.case import Case
from gatekeeper.deciding.facts import HeldRelease
from gatekeeper.deciding.refusals import first_word
from gatekeeper.policy.policy import Policy
from gatekeeper.policy.reasons import CATALOGUE, Found
from schemas.events import Release

RELEASED, EXPIRED = "RELEASED_BY_REVIEWER", "RELEASE_EXPIRED"
TWO_PERSONS = ("SOURCE_CONFLICT", "ART14_DEADLINE_MISSED")
"""Reasons that two different people must release."""
EVIDENCED = (
    "NO_DATED_BACK",
    "AGE_UNCERTAIN",
    "NAME_NEAR_STOP",
    "PRINT_UNACCOUNTED",
    "SOURCE_CONFLICT",
    "CREATIVE_PERSON_UNRELEASED",
    "JURISDICTION_UNKNOWN",
)
"""Reasons that a reviewer releases only with evidence (rule 7.2.13)."""


def releasable(code: str) -> bool:
    """True for a reason that a reviewer may release; all others need the person, a corrected record, or time."""
    kind = CATALOGUE.get(code)
    return bool(kind and kind.severity == "SOFT" and ("R" in kind.remedy or code == "JURISDICTION_UNKNOWN"))


def two_persons(release: Release | HeldRelease, policy: Policy) -> frozenset[str]:
    """The named reasons that need two people; all of them if `bulk` is over the policy's limit.

    A release without a `bulk` count is treated as over the limit.
    """
    most = policy.four_eyes_bulk
    if most is not None and (release.bulk is None or release.bulk > most):
        return frozenset(release.reasons)
    return frozenset(TWO_PERSONS) & frozenset(release.reasons)


def refusal(release: Release, reasons: Sequence[Found]) -> str | None:
    """The code for refusing a release of a decision with these reasons; None = the release is allowed.

    `hard`: there is a HARD reason. `not_releasable`: no reason is for a reviewer to release, or the release names one
    that is not. `unnamed`: the release names no reason. `surplus`: it names one that the decision does not have.
    `evidence`: it names one that needs evidence, and has none.
    """
    codes, named = [reason.code for reason in reasons], release.reasons
    if any(CATALOGUE[code].severity == "HARD" for code in codes):
        return "hard"
    if not any(releasable(code) for code in codes):
        return "not_releasable"
    if not named:
        return "unnamed"
    if not set(named) <= set(codes):
        return "surplus"
    if not all(releasable(code) for code in named):
        return "not_releasable"
    if not _evidenced(release):
        return "evidence"
    return None


def apply(case: Case, found: Iterable[Found]) -> tuple[list[Found], frozenset[str]]:
    """The reasons that remain after the releases of the send key, and the note of a release.

    A valid release removes the reasons that it names, and no others. It does not remove a named reason that stands
    on a stop of which nobody knew then. A HARD reason ends the release and adds
    RELEASE_SUPERSEDED. DUPLICATE_SEND does not, because it only says that the release has had its effect.
    An expired release removes nothing, and adds RELEASE_EXPIRED if it covered a remaining reason.
    """
    reasons = list(found)
    releases = _given(case)
    if not releases or not reasons:
        return reasons, frozenset()
    ttl, codes = case.policy.release_ttl_ms * 1000, {reason.code for reason in reasons}
    alive = [release for release in releases if case.at < case.span(release.at).first + ttl]
    over = [release for release in releases if release not in alive and _heard(release, codes)]
    lapsed = _named(over, case.policy) & codes
    alive = [release for release in alive if _heard(release, {*codes, EXPIRED} if lapsed else codes)]
    taken = _named(alive, case.policy)
    rest = [reason for reason in reasons if reason.code not in taken or _later(case, alive, reason)]
    released = len(rest) < len(reasons)
    if alive and any(CATALOGUE[reason.code].severity == "HARD" and reason.code != "DUPLICATE_SEND" for reason in rest):
        rest.append(Found("RELEASE_SUPERSEDED", tuple(sorted({release.decision_id for release in alive}))))
        released = False
    if EXPIRED not in taken and (covered := lapsed & {reason.code for reason in rest}):
        facts = tuple(sorted({release.decision_id for release in over}))
        rest.append(Found(EXPIRED, facts, {"reasons": ", ".join(sorted(covered))}))
    return rest, frozenset((RELEASED,)) if released else frozenset()


def _later(case: Case, alive: Sequence[HeldRelease], reason: Found) -> bool:
    """True if a reason stands on a stop of which too few of its releases can have known."""
    stops = [hit.stop for hit in case.facts.suppressions if hit.stop.suppression_id in reason.facts]
    if reason.code != "NAME_NEAR_STOP" or not stops:
        return False
    since = max(case.known_since(first_word(case, stop)) for stop in stops)
    return reason.code not in _named([release for release in alive if case.span(release.at).first > since], case.policy)


def _given(case: Case) -> list[HeldRelease]:
    """The releases of the send key that were not dated ahead and not taken back."""
    key = (case.send.campaign_id, case.send.channel)
    ours = [release for release in case.facts.releases if (release.campaign_id, release.channel) == key]
    revoked = {release.decision_id for release in ours if release.kind == "release_revoked"}
    latest = case.at + case.policy.skew_ms * 1000
    return [
        release
        for release in ours
        if release.kind == "release" and release.decision_id not in revoked and case.span(release.at).last <= latest
    ]


def _heard(release: HeldRelease, codes: Collection[str]) -> bool:
    """True if a release names only releasable reasons of the decision that it is about, with the evidence they need.

    Without `had`, the reasons found now count as those of that decision. Nobody can release a decision with a HARD
    reason, so a release that says it had one is not heard.
    """
    had = release.had or codes
    return (
        bool(release.reasons)
        and all(releasable(code) and code in had for code in release.reasons)
        and not any(CATALOGUE[code].severity == "HARD" for code in release.had if code in CATALOGUE)
        and _evidenced(release)
    )


def _evidenced(release: Release | HeldRelease) -> bool:
    return release.evidence_ref is not None or not set(release.reasons) & set(EVIDENCED)


def _named(releases: Iterable[HeldRelease], policy: Policy) -> set[str]:
    """The reasons that the releases name together; a reason that needs two people counts only if two named it."""
    people: dict[str, set[str]] = {}
    enough: set[str] = set()
    for release in releases:
        enough |= {*release.reasons} - two_persons(release, policy)
        for code in release.reasons:
            people.setdefault(code, set()).update(by.casefold() for by in release.people)
    return {code for code, by in people.items() if code in enough or len(by) > 1}
