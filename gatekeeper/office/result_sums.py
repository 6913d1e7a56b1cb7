"""Counts of all campaigns as plain sums over the records of `results`; nothing is remembered of a single send."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field

import msgspec

from gatekeeper.office.campaign import Counts


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
    replaces: _ReplacedFields | None = None
    mode: str = "live"


_read = msgspec.json.Decoder(_ResultFields).decode


@dataclass(slots=True)
class CampaignSum:
    """The sends of a campaign. `verdicts`: as each was decided first. `withheld`: by primary reason, as they stand.

    `late`: those recalled after their hand-off.
    """

    verdicts: Counter[str] = field(default_factory=Counter)
    withheld: Counter[str] = field(default_factory=Counter)
    cleared: int = 0
    handed: int = 0
    recalled: int = 0
    late: int = 0

    def add(self, other: CampaignSum) -> None:
        """Adds the counts of the sends of another controller."""
        self.verdicts.update(other.verdicts)
        self.withheld.update(other.withheld)
        self.cleared += other.cleared
        self.handed += other.handed
        self.recalled += other.recalled
        self.late += other.late

    def counts(self, id_: str, *, published: int) -> Counts:
        """The same as the command `campaign show` counts them. `published`: the number of sends planned or waiting."""
        return Counts(
            id_,
            published=published,
            decided=self.verdicts.total(),
            cleared=self.cleared,
            withheld=+self.withheld,
            recalled=self.recalled,
            handed=self.handed,
            late=self.late,
            waiting=max(0, self.cleared - self.recalled - self.handed + self.late),
        )


class ResultSums:
    """The sums of every campaign, by controller. They take about 1 KB of memory for each pair."""

    def __init__(self) -> None:
        self._sums: dict[str, dict[str, CampaignSum]] = {}

    def take(self, value: bytes | None) -> str | None:
        """Adds one result; gives its campaign, and None for a record that belongs to none.

        A shadow's results are not counted, as nothing goes out.
        """
        try:
            found = _read(value or b"")
        except msgspec.DecodeError:
            return None
        if found.campaign_id is None or found.mode != "live":
            return None
        sums = self._sums.setdefault(found.campaign_id, {}).setdefault(found.controller_id, CampaignSum())
        before = found.replaces
        if found.send is not None:
            sums.verdicts[found.verdict] += 1
        if before is not None and before.outcome == "withheld":
            sums.withheld[before.primary or ""] -= 1
        if found.outcome == "cleared":
            sums.cleared += 1
        elif found.outcome == "withheld":
            sums.withheld[found.primary] += 1
        elif found.outcome == "handed_off":
            sums.handed += 1
        elif found.outcome == "recalled":
            sums.recalled += 1
            sums.late += before is not None and before.outcome == "handed_off"
        return found.campaign_id

    def of(self, campaign: str, controllers: Collection[str] | None = None) -> CampaignSum:
        """The counts of a campaign; `controllers`: of their sends alone, None for all."""
        found = CampaignSum()
        for controller, sums in self._sums.get(campaign, {}).items():
            if controllers is None or controller in controllers:
                found.add(sums)
        return found
