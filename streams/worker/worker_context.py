"""The objects that all owned partitions of a worker share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from gatekeeper.audit.tlog.notes import Vkey
from gatekeeper.engine import signers
from gatekeeper.engine.act import ActRecord
from gatekeeper.engine.sends import Judge
from gatekeeper.ground.metrics_page import Metrics
from gatekeeper.ground.settings import Settings
from gatekeeper.ground.signing_key import SigningKey
from gatekeeper.policy.packs import Packs
from gatekeeper.policy.policy import Policy
from streams.worker.chunks import Credit
from streams.worker.clients import Clients
from streams.worker.clock import Clock
from streams.worker.commit_pacing import CommitPacing
from streams.worker.decided_line import DecidedLine
from streams.worker.facts import Followers
from streams.worker.intake import Pace
from streams.worker.kept_ledger import KeptLedgers
from streams.worker.releases import Asked, Releases


@dataclass(frozen=True, slots=True)
class WorkerContext:
    """Tools that all owned partitions of a worker share."""

    settings: Settings
    judge: Judge
    followers: Followers
    releases: Releases
    asked: Asked
    credit: Credit
    clock: Clock
    clients: Clients
    seek: Callable[[int, int], Awaitable[None]]
    """Moves the transport to an offset: partition, offset."""
    signer: SigningKey
    """Signs manifests."""
    masters: Mapping[int, str]
    """Fingerprints of the available master keys, by number."""
    writers: Sequence[Vkey]
    """The available public keys of workers; if there are none, every record on `manifests` counts."""
    pace: Pace
    commit_pacing: CommitPacing
    tokens: Mapping[int, str] = field(default_factory=dict)
    """Fingerprints of the available token keys, by number."""
    ledgers: KeptLedgers | None = None
    """Copies of the ledger on the disk, None if it is in memory alone."""
    metrics: Metrics = field(default_factory=Metrics)
    line: DecidedLine = field(default_factory=DecidedLine)
    """Numbers of decisions for the log."""

    @property
    def packs(self) -> Packs:
        """The policy packs in force by the facts applied so far."""
        return self.judge.holding(self.followers.store)

    @property
    def policy(self) -> Policy:
        """The policy version in force by the worker's clock."""
        return self.packs.at(self.clock.now())

    @property
    def signed(self) -> bool:
        """True if acts need a signature by the facts applied so far."""
        return self.settings.acts == "signed" or self.followers.store.log.roster.began is not None

    def counts(self, asked: ActRecord) -> bool:
        """Tells whether an act has a signer by the people known so far, or needs none."""
        return signers.counts(asked, self.followers.store.log, self.settings.acts)
