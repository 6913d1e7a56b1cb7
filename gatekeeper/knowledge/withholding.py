"""One record that withholds sends: which it is, since when, whose sends, and how many managers must pass it."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, get_args

from gatekeeper.ground.times import instant

BY_TWO = 2
"""Managers who let go a record that may concern anybody, or everybody of a company."""
Whom = Literal["everybody", "companies", "named", "nobody"]
"""The sends that a record withholds: everybody's, those of companies, of the people whom it names, or nobody's."""
WHOM: tuple[Whom, ...] = get_args(Whom)
"""All of them, those that withhold most first."""


class Withholding(NamedTuple):
    """An unreadable record, a gap, or a stop that cannot be compared.

    `record`: its place, as TOPIC/PARTITION/OFFSET. `fault`: why it cannot be read; else `token_key/` with the keys, or
    `gap/` with the feed. `since`: its arrival in milliseconds. `withholds`: whose sends. `companies`: the companies or
    groups if it is theirs. `resolved`: the managers who resolved it so far. `needed`: those who must.
    """

    record: str
    fault: str
    since: int
    withholds: Whom
    companies: tuple[str, ...]
    resolved: int
    needed: int

    @property
    def told(self) -> dict[str, Any]:
        """The same for health pages and `status`: a place and numbers, and no person."""
        return {**self._asdict(), "since": instant(self.since), "companies": [*self.companies]}
