"""Sums of all campaigns over the records of `results`, and their places. Nothing is remembered of a single send."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from gatekeeper.management.campaign import Counts

MOST = 100_000
"""Sums that are kept, one for each campaign and controller of it."""
BITS = 1 << 26
"""Bits for forgotten campaigns. After 67,000 of them, one of a thousand others is taken for one of them."""


class Span(NamedTuple):
    """The offsets of a campaign on one partition: the first one, and the one behind the last."""

    first: int
    to: int


class _ReplacedFields(msgspec.Struct, gc=False):
    outcome: str
    primary: str | None = None


class _ResultFields(msgspec.Struct, gc=False):
    """The fields of a result that are counted; the rest is not read."""

    outcome: str
    campaign_id: str | None = None
    controller_id: str = ""
    verdict: str = ""
    primary: str = ""
    send: str | None = None
    duplicate_of: str | None = None
    replaces: _ReplacedFields | None = None
    fault: str | None = None
    mode: str = "live"


_read = msgspec.json.Decoder(_ResultFields).decode


@dataclass(slots=True)
class CampaignSum:
    """The sends of a campaign. `verdicts`: as each was decided first. `withheld`: by primary reason, as they stand.

    `refused`: dead letters by fault, which are not among the others.
    `late`: those recalled after their hand-off. `copies`: those of a piece that was cleared before. `shadow`: those
    decided in a shadow, which clears none. `torn`: results came without that of their send, which is not kept any more.
    """

    verdicts: Counter[str] = field(default_factory=Counter)
    withheld: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    cleared: int = 0
    handed: int = 0
    recalled: int = 0
    late: int = 0
    copies: int = 0
    shadow: int = 0
    torn: bool = False
    spans: dict[int, Span] = field(default_factory=dict)

    @property
    def waiting(self) -> int:
        """Cleared sends that are neither handed off nor recalled."""
        return self.cleared - self.recalled - self.handed + self.late

    @property
    def incomplete(self) -> bool:
        """True if results are missing: one came without that of its send, or more was taken off than there was."""
        return self.torn or self.waiting < 0 or any(count < 0 for count in self.withheld.values())

    def add(self, other: CampaignSum) -> None:
        """Adds the counts of the sends of another controller. What one lacks makes the sum incomplete."""
        self.torn = self.torn or other.incomplete
        self.verdicts.update(other.verdicts)
        self.withheld.update(other.withheld)
        self.refused.update(other.refused)
        self.cleared += other.cleared
        self.handed += other.handed
        self.recalled += other.recalled
        self.late += other.late
        self.copies += other.copies
        self.shadow += other.shadow
        for number, span in other.spans.items():
            mine = self.spans.get(number, span)
            self.spans[number] = Span(min(mine.first, span.first), max(mine.to, span.to))

    def counts(self, id_: str, *, undecided: int, stray: int = 0) -> Counts:
        """The same as the command `campaign show` counts them. `undecided`: the sends that wait for their decision.

        `stray`: as of ResultSums.
        """
        return Counts(
            id_,
            published=self.verdicts.total() + self.refused.total() + undecided,
            decided=self.verdicts.total(),
            cleared=self.cleared,
            withheld={code: count for code, count in self.withheld.items() if count},
            recalled=self.recalled,
            handed=self.handed,
            late=self.late,
            waiting=self.waiting,
            refused={fault: count for fault, count in self.refused.items() if count},
            stray=stray,
            pieces=self.verdicts.total() - self.copies,
        )

    def _take(self, result: _ResultFields, partition: int, offset: int) -> None:
        before, shadow = result.replaces, result.mode != "live"
        if partition not in self.spans:
            self.torn = self.torn or result.send is None
            self.spans[partition] = Span(offset, offset)
        self.spans[partition] = Span(self.spans[partition].first, offset + 1)
        if result.fault is not None:
            if not shadow:
                self.refused[result.fault] += 1
            return
        if result.send is not None:
            self.verdicts[result.verdict] += 1
            self.copies += result.duplicate_of is not None
            self.shadow += shadow
        if before is not None and before.outcome == "withheld" and (before.primary or not shadow):
            self.withheld[before.primary or ""] -= 1
        if result.outcome == "cleared":
            self.cleared += 1
        elif result.outcome == "withheld" and (result.primary or not shadow):
            self.withheld[result.primary] += 1
        elif result.outcome == "handed_off":
            self.handed += 1
        elif result.outcome == "recalled":
            self.recalled += 1
            self.late += before is not None and before.outcome == "handed_off"


class ResultSums:
    """The sums of the campaigns that were written last, by controller."""

    def __init__(self, most: int = MOST) -> None:
        """`most`: as MOST; whoever invents campaigns must not take all memory. `stray`: dead letters of no campaign."""
        self.stray = 0
        self._most, self._kept = most, 0
        self._campaigns: OrderedDict[str, dict[str, CampaignSum]] = OrderedDict()
        self._forgotten = bytearray(BITS // 8)

    def take(self, value: bytes | None, *, partition: int, offset: int) -> None:
        """Adds the result at this place. A record that belongs to no campaign changes nothing."""
        try:
            result = _read(value or b"")
        except msgspec.DecodeError:
            return
        if result.campaign_id is None:
            self.stray += result.fault is not None and result.mode == "live"
            return
        sums = self._campaigns.setdefault(result.campaign_id, {})
        self._campaigns.move_to_end(result.campaign_id)
        if result.controller_id not in sums:
            sums[result.controller_id] = CampaignSum()
            self._kept += 1
        sums[result.controller_id]._take(result, partition, offset)
        while self._kept > self._most:
            self._forget()

    def of(self, campaign: str, controllers: Collection[str] | None = None) -> CampaignSum | None:
        """The counts and places of a campaign; `controllers`: of their sends alone, None for all.

        None if it was forgotten, or cannot be told from one that was. There may then be more than is known.
        """
        if any(self._has_bit(campaign, name) for name in ((None,) if controllers is None else controllers)):
            return None
        total = CampaignSum()
        for controller, sums in self._campaigns.get(campaign, {}).items():
            if controllers is None or controller in controllers:
                total.add(sums)
        return total

    def _forget(self) -> None:
        """Forgets the campaign that was written longest ago, but not that it was there."""
        campaign, sums = self._campaigns.popitem(last=False)
        self._kept -= len(sums)
        for controller in (None, *sums):
            byte, bit = divmod(_place(campaign, controller), 8)
            self._forgotten[byte] |= 1 << bit

    def _has_bit(self, campaign: str, controller: str | None) -> bool:
        byte, bit = divmod(_place(campaign, controller), 8)
        return bool(self._forgotten[byte] >> bit & 1)


def _place(campaign: str, controller: str | None) -> int:
    return hash((campaign, controller)) % BITS  # Python salts it, so nobody outside can aim at a place
