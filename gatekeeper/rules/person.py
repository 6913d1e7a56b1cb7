"""Who the person is: whether old enough to agree alone (domain rule 6.7)."""

from __future__ import annotations

from collections.abc import Iterator

from gatekeeper.case import Case
from gatekeeper.consent import Standing
from gatekeeper.reasons import Found


def age(case: Case, standing: Standing) -> Iterator[Found]:
    """AGE_UNCERTAIN: a source says that the person may be a minor, none has a birth date, no guardian agreed."""
    sources = case.facts.sources
    young = [source for source in sources if source.may_be_minor]
    if not young or any(source.birth_date for source in sources):
        return
    if any(consent.expressed_by == "guardian" for consent in standing.stands):
        return
    yield Found("AGE_UNCERTAIN", tuple(source.source_id for source in young), {"method": young[0].method})
