"""A reviewer's release: when it may be given, and what it does to later decisions (domain rule 6.8)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gatekeeper.deciding.case import Case
from gatekeeper.policy.policy import Policy
from gatekeeper.policy.reasons import CATALOGUE, Found
from schemas.events import Release

RELEASED = "RELEASED_BY_REVIEWER"
TWO_PERSONS = ("SOURCE_CONFLICT", "ART14_DEADLINE_MISSED")
"""Reasons that two different people must release."""


def two_persons(release: Release, policy: Policy) -> frozenset[str]:
    """The reasons it names that one person's word is not enough for: all of a bulk that the policy limits.

    A release without a `bulk` count is treated as over the limit.
    """
    most = policy.four_eyes_bulk
    if most is not None and (release.bulk is None or release.bulk > most):
        return frozenset(release.reasons)
    return frozenset(TWO_PERSONS) & frozenset(release.reasons)


def refusal(release: Release, reasons: Sequence[Found]) -> str | None:
    """Why a release of a decision with these reasons is refused; None = it may be given.

    `hard`: a HARD reason stands. `not_releasable`: no reason has the remedy R. `incomplete`: it does not name every
    SOFT reason. `surplus`: it names one that was not found. `evidence`: one without R needs evidence.
    """
    kinds = [CATALOGUE[reason.code] for reason in reasons]
    if any(kind.severity == "HARD" for kind in kinds):
        return "hard"
    if not any("R" in kind.remedy for kind in kinds):
        return "not_releasable"
    if not {kind.code for kind in kinds} <= set(release.reasons):
        return "incomplete"
    if not set(release.reasons) <= {kind.code for kind in kinds}:
        return "surplus"
    if release.evidence_ref is None and any("R" not in kind.remedy for kind in kinds):
        return "evidence"
    return None


def apply(case: Case, found: Iterable[Found]) -> tuple[list[Found], frozenset[str]]:
    """The reasons that are left when the releases of the send key are heard, and the note of a release.

    Alive, it takes out the SOFT reasons that it names; a HARD reason ends it, and is joined by RELEASE_SUPERSEDED,
    except DUPLICATE_SEND, which only says that the release has had its effect.
    Run out, it leaves all, and is joined by RELEASE_EXPIRED where it covered one.
    """
    reasons = list(found)
    given = _given(case)
    if not given or not reasons:
        return reasons, frozenset()
    ttl = case.policy.release_ttl_ms * 1000
    alive = [release for release in given if case.at < case.span(release.at).first + ttl]
    taken = {code for code in _named(alive, case.policy) if code in CATALOGUE and CATALOGUE[code].severity == "SOFT"}
    left = [reason for reason in reasons if reason.code not in taken]
    released = len(left) < len(reasons)
    if alive and any(CATALOGUE[reason.code].severity == "HARD" and reason.code != "DUPLICATE_SEND" for reason in left):
        left.append(Found("RELEASE_SUPERSEDED", tuple(sorted({release.decision_id for release in alive}))))
        released = False
    over = [release for release in given if release not in alive]
    if covered := {reason.code for reason in left} & _named(over, case.policy):
        facts = tuple(sorted({release.decision_id for release in over}))
        left.append(Found("RELEASE_EXPIRED", facts, {"reasons": ", ".join(sorted(covered))}))
    return left, frozenset((RELEASED,)) if released else frozenset()


def _given(case: Case) -> list[Release]:
    """The releases of the send key that were given in due form and not taken back."""
    key = (case.send.campaign_id, case.send.channel)
    ours = [one for one in case.facts.releases if (one.campaign_id, one.channel) == key]
    revoked = {one.decision_id for one in ours if one.kind == "release_revoked"}
    latest = case.at + case.policy.skew_ms * 1000
    return [
        one
        for one in ours
        if one.kind == "release" and one.decision_id not in revoked and case.span(one.at).last <= latest and _sound(one)
    ]


def _sound(release: Release) -> bool:
    """Whether a release could have been accepted: SOFT reasons only, one with R, evidence for those without."""
    kinds = [CATALOGUE[code] for code in release.reasons if code in CATALOGUE]
    return (
        len(kinds) == len(release.reasons)
        and all(kind.severity == "SOFT" for kind in kinds)
        and any("R" in kind.remedy for kind in kinds)
        and (release.evidence_ref is not None or all("R" in kind.remedy for kind in kinds))
    )


def _named(releases: Iterable[Release], policy: Policy) -> set[str]:
    """The reasons that the releases name together, those for two persons only where two stand for them."""
    people: dict[str, set[str]] = {}
    enough: set[str] = set()
    for release in releases:
        enough |= {*release.reasons} - two_persons(release, policy)
        for code in release.reasons:
            people.setdefault(code, set()).update(by.casefold() for by in release.people)
    return {code for code, by in people.items() if code in enough or len(by) > 1}
