"""Consents that a child gave, and the refusals that such a consent never lifts (domain rules 7.1.3, 8.2.43)."""

from __future__ import annotations

from calendar import isleap
from collections.abc import Iterator
from datetime import date

from gatekeeper.deciding.case import Case, Known
from gatekeeper.deciding.facts import GUARDIAN, HeldConsent
from gatekeeper.ground.times import BEFORE_ALL, Span, day, span, today
from schemas.events import GIVEN_STATES, Source

_UNKNOWN = (None, "import")
"""The speakers of a refusal that may have been the guardian: nobody is named, or only that it was imported."""


def minor(case: Case, yes: HeldConsent, spoken: Span) -> bool:
    """True if a proven consent counts as given by a minor; a guardian's never does.

    `spoken`: the time from which the consent speaks; it is measured by the policy's age of that day. Without a birth
    date the person counts as a minor for so many years. They begin when a guardian spoke or a source said
    `may_be_minor`.
    """
    if yes.expressed_by == GUARDIAN:
        return False
    age = case.policy.minor_age_on(day(spoken.first, case.policy.timezone))
    if case.facts.ages.now is not None:
        return case.facts.ages.on(day(spoken.first, case.policy.timezone)) < age
    return any(
        word is None or (word.first <= spoken.last and spoken.first < _grown(case, word, age)) for word in _words(case)
    )


def as_child(case: Case, yes: HeldConsent, spoken: Span) -> bool:
    """True if a person who is grown now was a child on that day, by a birth date on file.

    Until then MINOR_NO_GUARDIAN says it. An undated one has no day to be measured by.
    """
    now = case.facts.ages.now
    return now is not None and now >= case.policy.minor_age and bool(yes.event_time) and minor(case, yes, spoken)


def earliest(case: Known, yes: HeldConsent) -> int:
    """The instant of the earliest word of a consent: its own time, its recording or its arrival (rule 7.1.2).

    An undated one may have been said at any time.
    """
    if not yes.event_time:
        return BEFORE_ALL
    written = min(case.span(str(yes.event_time)).first, case.span(yes.recorded_at).last)
    return written if yes.arrived is None else min(written, yes.arrived * 1000)


def guarded(case: Known, speaker: str | None, spoken: Span) -> bool:
    """True if no minor's consent lifts a refusal: a guardian's, or one of an unknown speaker after a guardian's yes."""
    if speaker == GUARDIAN:
        return True
    return speaker in _UNKNOWN and any(
        event.expressed_by == GUARDIAN and event.state in GIVEN_STATES and earliest(case, event) <= spoken.last
        for event in case.facts.consents
    )


def warns(case: Case, source: Source) -> bool:
    """True if a source says that the person may be a minor, and less than `minor_age` years have passed since."""
    return bool(source.may_be_minor) and (
        source.acquired_at is None or case.at < _grown(case, case.span(source.acquired_at), case.policy.minor_age)
    )


def may_be_minor(case: Case) -> bool:
    """True if the person is below `minor_age` by a birth date on file, or may be.

    Without one a guardian spoke, or a source warns, less than so many years ago.
    """
    if (now := case.facts.ages.now) is not None:
        return now < case.policy.minor_age or any(warns(case, source) for source in case.facts.sources)
    return any(word is None or case.at < _grown(case, word, case.policy.minor_age) for word in _words(case))


def _words(case: Case) -> Iterator[Span | None]:
    """Yields when a guardian spoke, and when a source said that the person may be a minor; None if undated.

    A guardian's yes may have been said from its earliest word to the time that it names.
    """
    for event in case.facts.consents:
        if event.expressed_by == GUARDIAN:
            said = case.span(event.event_time or event.recorded_at)
            yield Span(earliest(case, event), said.last) if event.state in GIVEN_STATES else said
    for hit in case.stops:
        if hit.stop.expressed_by == GUARDIAN and not hit.stop.of_another:
            yield case.span(hit.stop.received_at)
    for source in case.facts.sources:
        if source.may_be_minor:
            yield case.span(source.acquired_at) if source.acquired_at else None


def _grown(case: Case, word: Span, years: int) -> int:
    """The instant from which a word about a child says nothing any more: the anniversary, so many years later.

    That of 29 February is 1 March (rule 6.7).
    """
    zone = case.policy.timezone
    said = today(word.last, zone)
    leap = (said.month, said.day) == (2, 29) and not isleap(said.year + years)
    anniversary = date(said.year + years, 3, 1) if leap else said.replace(year=said.year + years)
    return span(anniversary.isoformat(), zone).first
