"""A reviewer's release: when it is allowed, and its effect on later decisions (domain rules 6.8, 7.2)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence, Set

from gatekeeper.deciding.case import Case
from gatekeeper.deciding.facts import HeldRelease
from gatekeeper.deciding.pointed import digests
from gatekeeper.deciding.refusals import first_word
from gatekeeper.policy.policy import Policy
from gatekeeper.policy.reasons import CATALOGUE, FORMER, Found
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

    A valid release removes the reasons that it names, as far as they point to facts that were seen. A HARD reason ends
    the release and adds RELEASE_SUPERSEDED. DUPLICATE_SEND does not, because it only says that the release has had its
    effect. An expired release removes nothing, and adds RELEASE_EXPIRED if it covered a remaining reason.
    """
    reasons = list(found)
    releases = _given(case)
    if not releases or not reasons:
        return reasons, frozenset()
    ttl, codes = case.policy.release_ttl_ms * 1000, {reason.code for reason in reasons}
    alive = [release for release in releases if case.at < case.span(release.at).first + ttl]
    over = [release for release in releases if release not in alive and _heard(release, codes)]
    lapsed = {reason.code for reason in reasons if _rest(case, over, reason) != reason}
    alive = [release for release in alive if _heard(release, {*codes, EXPIRED} if lapsed else codes)]
    left = [rest for reason in reasons if (rest := _rest(case, alive, reason))]
    released = len(left) < len(reasons)
    if alive and any(CATALOGUE[reason.code].severity == "HARD" and reason.code != "DUPLICATE_SEND" for reason in left):
        left.append(Found("RELEASE_SUPERSEDED", tuple(sorted({release.decision_id for release in alive}))))
        released = False
    if covered := lapsed & {reason.code for reason in left}:
        facts = tuple(sorted({release.decision_id for release in over}))
        expired = _rest(case, alive, Found(EXPIRED, facts, {"reasons": ", ".join(sorted(covered))}))
        left += [expired] if expired else []
    return left, frozenset((RELEASED,)) if released else frozenset()


def _rest(case: Case, releases: Sequence[HeldRelease], reason: Found) -> Found | None:
    """The part of a reason that these releases do not remove, None if nothing is left.

    A reason that points to no fact goes or stays as a whole.
    """
    naming = [release for release in releases if reason.code in release.reasons]
    if not naming or reason.code not in _named(naming, case.policy):
        return reason
    left = {
        name
        for name, stood in digests(case, reason).items()
        if reason.code not in _named([one for one in naming if _saw(case, one, reason.code, name, stood)], case.policy)
    }
    return reason._replace(facts=tuple(id_ for id_ in reason.facts if id_ in left)) if left else None


def _saw(case: Case, release: HeldRelease, code: str, name: str, stood: Set[str]) -> bool:
    """True if a release was given by somebody who was shown a fact as it stands. `stood`: the digests of the fact.

    In a file what is found now stands for what was seen, without stops of which nobody knew then. So it does for a
    release of before `seen`, to its end. SOURCE_CONFLICT alone is decided anew.
    """
    if release.seen is not None:
        return stood <= {*release.seen.get(code, ())}
    stops = [hit.stop for hit in case.facts.suppressions if hit.stop.suppression_id == name]
    known = all(case.span(release.at).first > case.known_since(first_word(case, stop)) for stop in stops)
    return known and (release.filed or code != "SOURCE_CONFLICT")


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
    reason, so a release that says it had one is not heard. One of before `seen` may name a former reason beside others.
    """
    had = release.had or codes
    former = FORMER if release.seen is None and not release.filed else ()
    named = [code for code in release.reasons if code not in former]
    return (
        bool(named)
        and all(releasable(code) and code in had for code in named)
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
