"""The arrival of a person's event in the log, kept only where a rule may read it (rules 7.1.2, 7.1.5)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, get_args

from gatekeeper.ground.times import span
from schemas.events import GIVEN_STATES, NO_STATES, SuppressionKind

NARROWING = ("controller_id", "controller", "group", "purpose")
"""The fields by which a no names a company or a purpose. One that was registered later does not narrow it."""
STATUS_KINDS = frozenset({"deceased", "undeliverable"})
"""The suppressions that say why no mail arrives."""
WILL_KINDS = frozenset(get_args(SuppressionKind)) - STATUS_KINDS
"""The suppressions that say the person's will: every other kind (rule 8.3.52)."""
ENDS = frozenset({"Expired", "Invalidated", "Revoked"})
"""The states of a consent event that end consents."""
_ARRIVED = re.compile(rb'"arrived":(-?[0-9]+),')
_WEST = "Etc/GMT+12"
"""The zone where a written day begins last. The store does not know the zone of the policy that will decide."""


def matters(topic: str, event: dict[str, Any], arrived: int) -> bool:
    """True if a rule may read the arrival of this event, under some policy.

    `arrived`: milliseconds since the epoch. A yes speaks from its arrival if that is before its own times. A no that
    names a company or purpose is narrowed only by what was registered before its arrival. A stop was not known to
    whoever looked before its arrival.
    """
    if topic == "suppressions":
        return True
    state = event.get("state")
    if topic != "consents" or state is None:
        return False
    if state not in GIVEN_STATES:
        return (state in NO_STATES or state in ENDS) and _names(event)
    if event.get("event_time") is None:  # undated: without evidence, so it lifts nothing
        return False
    spoken, recorded = span(event["event_time"], _WEST).first, span(event["recorded_at"], _WEST).last
    return arrived * 1000 < min(spoken, recorded)


def earliest(lines: Iterable[bytes]) -> set[bytes]:
    """The lines of events without later copies: of lines that differ only by arrival, the earliest.

    A line without an arrival arrived too late for it to matter.
    """
    copies: dict[bytes, tuple[int | None, bytes]] = {}
    for line in lines:
        match = _ARRIVED.search(line)
        arrived = int(match[1]) if match else None
        bare = _ARRIVED.sub(b"", line, count=1) if match else line
        known = copies.get(bare)
        if known is None or (arrived is not None and (known[0] is None or arrived < known[0])):
            copies[bare] = arrived, line
    return {line for _, line in copies.values()}


def _names(scope: dict[str, Any]) -> bool:
    return any(scope.get(name) not in (None, "*") for name in NARROWING)
