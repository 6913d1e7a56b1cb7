"""A worker that takes any log for the one that it read: rounds of `--nemesis rollback` must find it out."""

import sys
from typing import Any

from gatekeeper.cli import main
from streams.worker import ledger_reader
from streams.worker.facts import Followers
from streams.worker.kept_ledger import Misfit
from streams.worker.log_follower import LogFollower
from streams.worker.log_proof import LogProof
from streams.worker.ownership_epoch import OwnershipEpoch
from streams.worker.takeover import TakeOver


async def unproven(*_: Any) -> Any:
    raise Misfit("believed")


async def nothing(*_: Any) -> None:
    return None


async def there(self: LogFollower) -> None:
    for tp, end in (await self.ends.stable(self._positions)).items():
        self._positions[tp] = min(self._positions[tp], end)
        self._reader.seek(tp, self._positions[tp])


async def same(*_: Any) -> bool:
    return True


ledger_reader.manifest_of = unproven
LogFollower._demand_there = there  # type: ignore[method-assign]
Followers._demand_same = nothing  # type: ignore[method-assign]
LogProof.holds = same  # type: ignore[method-assign]
TakeOver._demand_logs = nothing  # type: ignore[method-assign]
TakeOver._demand_facts = nothing  # type: ignore[method-assign]
OwnershipEpoch._prove = nothing  # type: ignore[assignment]

sys.argv = ["gatekeeper", "worker"]
main()
