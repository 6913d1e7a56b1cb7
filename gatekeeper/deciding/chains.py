"""The chain of a provider's check: words for the basis of a company, or codes of `provider` records (rule 8.3.52)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from schemas.events import ProviderCheck

_BASES = frozenset(("consent", "optoutfiling", "other"))


def is_opt_out(word: str) -> bool:
    """True for a word that says that a company got the data by opt-out."""
    return "optout" in _plain(word)


def is_company(word: str) -> bool:
    """True for the code of a company, which is no word for a basis."""
    return _plain(word) not in _BASES and not is_opt_out(word)


def names_of(checks: Iterable[ProviderCheck]) -> Iterator[str]:
    """Yields the names (kind/id) of the `provider` records that these checks name."""
    return (f"provider/{word}" for check in checks for word in check.chain if is_company(word))


def _plain(word: str) -> str:
    return re.sub(r"[._\-]", "", word.lower())
