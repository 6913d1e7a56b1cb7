"""The chain of a provider's check: words for the basis of a company, or codes of `provider` records (rule 8.3.52)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from schemas.events import ProviderCheck

_BASES = frozenset(("consent", "other"))


def is_opt_out(word: str) -> bool:
    """True for a word that says that a company got the data by opt-out."""
    return "optout" in re.sub(r"[._\-]", "", word.lower())


def is_company(word: str) -> bool:
    """True for the code of a company, which is no word for a basis."""
    return word.lower() not in _BASES and not is_opt_out(word)


def names_of(checks: Iterable[ProviderCheck]) -> Iterator[str]:
    """Yields the names (kind/id) of the `provider` records that these checks name."""
    return (f"provider/{word}" for check in checks for word in check.chain if is_company(word))
