"""What a send lacks of consent, whatever its source (domain rule 6.3; J.8.7)."""

from __future__ import annotations

from collections.abc import Iterator

from gatekeeper.case import Case
from gatekeeper.consent import Standing
from gatekeeper.reasons import Found
from gatekeeper.rules import will


def lacking(case: Case, standing: Standing) -> Iterator[Found]:
    """CONSENT_WITHDRAWN beside the faults of a later yes; else the faults, the near misses, or CONSENT_MISSING."""
    yield from will.taken_back(case, standing)
    yield from standing.lacks
