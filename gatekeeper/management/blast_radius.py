"""Blast radius of a purchased list: its people, and their live clearances that can still be recalled."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from gatekeeper.ground import times
from gatekeeper.ledger.entries import CLEAR
from gatekeeper.ledger.state import LedgerState
from schemas.codec import Unreadable, decode


@dataclass(slots=True)
class AffectedCampaign:
    """Live clearances of the list's people in one campaign and channel.

    `standing`: those whose basis is a source of the list. `ahead`: those of them that a recall can still stop, because
    their mail date is missing or not over. `next`: the first of these mail dates, None without one.
    """

    campaign: str
    channel: str
    clearances: int = 0
    standing: int = 0
    ahead: int = 0
    next: str | None = None


class BlastRadius:
    """Preview of a quarantine of a list; takes the records of `sources` first, then those of `ledger`."""

    def __init__(self, batch: str) -> None:
        self._batch = batch
        self._sources: dict[bytes, set[str]] = {}
        self._ledgers: dict[int, LedgerState] = defaultdict(LedgerState)

    @property
    def people(self) -> int:
        """The number of people with a source of the list."""
        return len(self._sources)

    @property
    def recipients(self) -> list[str]:
        """The recipient ids of people with a source of the list, in order."""
        return sorted(map(bytes.decode, self._sources))

    def source(self, key: bytes | None, value: bytes | None) -> None:
        """Adds a record of `sources`; an unreadable one belongs to no list."""
        try:
            source = decode("sources", key, value)
        except Unreadable:
            return
        if source.batch_id == self._batch:
            self._sources.setdefault(source.recipient_id.encode(), set()).add(source.source_id)

    def entry(self, partition: int, key: bytes | None, value: bytes | None) -> None:
        """Adds a record of `ledger`, in the order of its partition; raises IntegrityError (4) as a worker does."""
        kind, _, rest = (key or b"").partition(b"/")
        if kind == CLEAR and rest.partition(b"/")[0] in self._sources:
            self._ledgers[partition].take(key or b"", value)

    def campaigns(self, at: int, timezone: str) -> list[AffectedCampaign]:
        """The campaigns with live clearances of the list's people at an instant (milliseconds), by id and channel.

        `timezone`: the zone of mail dates that name none.
        """
        campaigns: dict[tuple[str, str], AffectedCampaign] = {}
        for ledger in self._ledgers.values():
            for clearance in ledger.clearances(at):
                send = clearance.send
                row = campaigns.setdefault(
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
        return [campaigns[key] for key in sorted(campaigns)]
