"""How far a list of data reaches: who came with it, and what they were cleared for that can still be called back."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from gatekeeper import times
from gatekeeper.ledger.entries import CLEAR
from gatekeeper.ledger.memory import Memory
from schemas.codec import Unreadable, decode


@dataclass(slots=True)
class AffectedCampaign:
    """A campaign by one channel: live clearances of people of the list.

    `standing`: those that stand on a source of the list. `ahead`: those of them whose mail date is not over, or that
    have none, so that a recall can still stop them. `next`: the first of these mail dates, None without one.
    """

    campaign: str
    channel: str
    clearances: int = 0
    standing: int = 0
    ahead: int = 0
    next: str | None = None


class Reach:
    """Takes the records of `sources`, then those of `ledger`, and tells what a quarantine of the list would meet."""

    def __init__(self, batch: str) -> None:
        self._batch = batch
        self._sources: dict[bytes, set[str]] = {}
        self._memories: dict[int, Memory] = defaultdict(Memory)

    @property
    def people(self) -> int:
        """How many people have a source of the list."""
        return len(self._sources)

    @property
    def recipients(self) -> list[str]:
        """Who has a source of the list, by recipient id."""
        return sorted(map(bytes.decode, self._sources))

    def source(self, key: bytes | None, value: bytes | None) -> None:
        """Takes in a record of `sources`; one that cannot be read names no list."""
        try:
            found = decode("sources", key, value)
        except Unreadable:
            return
        if found.batch_id == self._batch:
            self._sources.setdefault(found.recipient_id.encode(), set()).add(found.source_id)

    def entry(self, partition: int, key: bytes | None, value: bytes | None) -> None:
        """Takes in a record of `ledger`, in the order of its partition; raises IntegrityError (4) as a worker does."""
        kind, _, rest = (key or b"").partition(b"/")
        if kind == CLEAR and rest.partition(b"/")[0] in self._sources:
            self._memories[partition].take(key or b"", value)

    def campaigns(self, at: int, timezone: str) -> list[AffectedCampaign]:
        """Where people of the list have live clearances at that instant (milliseconds), by id and channel.

        `timezone`: in which a mail date without one is read.
        """
        found: dict[tuple[str, str], AffectedCampaign] = {}
        for memory in self._memories.values():
            for clearance in memory.clearances(at):
                send = clearance.send
                row = found.setdefault(
                    (send.campaign_id, send.channel), AffectedCampaign(send.campaign_id, send.channel)
                )
                row.clearances += 1
                if clearance.basis not in self._sources[send.recipient_id.encode()]:
                    continue
                row.standing += 1
                date = send.mail_date
                if date is None:
                    row.ahead += 1
                elif times.span(date, timezone).last >= at * 1000:
                    row.ahead += 1
                    row.next = min(row.next or date, date, key=lambda day: times.span(day, timezone).first)
        return [found[key] for key in sorted(found)]
