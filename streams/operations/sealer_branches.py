"""Branches in the sealer's work.

A partition is held until somebody has said which branch is right, and then goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from gatekeeper.audit.checks.branch import Links, fork, lineage, parting
from gatekeeper.audit.checks.chain import Chain, ChainFinding
from gatekeeper.audit.checks.sealed_ends import SealedPlace, SealPosition, sealed_links, sealed_place
from gatekeeper.audit.log import branch_files
from gatekeeper.audit.log.branch_files import Held
from gatekeeper.audit.log.tree import Tree
from gatekeeper.audit.log.writer import LogWriter
from gatekeeper.audit.tlog.branch_statement import Statement
from gatekeeper.ground.atomic_store import AtomicStore
from schemas.codec import canonical
from streams.client.reader import Reader
from streams.operations.branches import Written, named_by_head, written

NAMED = 400
"""Most manifests beside the branch that a leaf names."""


class SealerBranches:
    """The partitions that are held, and the statements that were followed."""

    def __init__(self, files: AtomicStore, log: LogWriter, chain: Chain, told: Callable[[ChainFinding], None]) -> None:
        """`told`: called with each finding. No partition is held at first; each is judged anew."""
        self._files, self._log, self._chain, self._told = files, log, chain, told
        self._held: dict[int, int] = {}
        """The first offset that waits, by partition."""
        self._refused: set[str] = set()
        self._whole: set[tuple[int, str]] = set()
        """Partitions that are not held at this sealed manifest, as the ledger's branch does not part from it."""
        for held_partition in branch_files.held(files):
            branch_files.release(files, held_partition.partition)

    def is_held(self, partition: int) -> bool:
        """Tells whether the partition waits for a statement."""
        return partition in self._held

    def hold(self, reader: Reader, partition: int, offset: int) -> bool:
        """Holds a partition if the ledger's head is on a branch that parts from the sealed one.

        `offset`: of the first manifest that waits. The result tells whether the partition is held.
        """
        sealed, head = self._chain.head(partition), named_by_head(reader, partition)
        if sealed is None or head is None or (partition, sealed) in self._whole:
            return False
        links = self._links(partition, sealed, written(reader, partition))
        if head not in self._chain.forks(partition) and parting(links, sealed, head) is None:
            self._whole.add((partition, sealed))
            return False
        self._held[partition] = offset
        branch_files.hold(self._files, Held(partition=partition, offset=offset, sealed=sealed, head=head))
        self._told(ChainFinding("held", partition, offset))
        return True

    def follow(self, reader: Reader, statements: Sequence[Statement], *, at: str) -> dict[int, int]:
        """Follows each statement that came, with a leaf of the kind `branch`.

        `at`: now, an instant. The result: the offset from which each partition that was held or goes back goes on.
        """
        starts = {}
        for statement in statements:
            if not self._chain.is_stated(statement.note) and statement.note not in self._refused:
                start = self._followed(statement, written(reader, statement.partition), at=at)
                if start is not None:
                    starts[statement.partition] = start
        return starts

    def _followed(self, statement: Statement, manifests: dict[str, Written], *, at: str) -> int | None:
        number, sealed = statement.partition, self._chain.head(statement.partition)
        links = self._links(number, sealed, manifests)
        joint = self._joint(statement, links) if statement.sha256 in manifests else None
        after = joint[0] if joint else None
        place = SealedPlace(-1, {}) if after is None else self._place(number, after)
        if joint is None or (place is None and self._log.size == self._log.sealed.size):
            self._refused.add(statement.note)
            where = manifests[statement.sha256].offset if statement.sha256 in manifests else 0
            self._told(ChainFinding("unjoined", number, where, {"sha256": statement.sha256}))
            return None
        if place is None:
            return None  # its leaf is not on the disk yet
        forks = fork(links, statement.sha256).beside
        leaf = {
            "v": 1,
            "kind": "branch",
            "at": at,
            "partition": number,
            "statement": statement.note,
            "taken": place.taken,
        }
        leaf |= {"after": after, "leaf": None if after is None else place.leaf, "forks": sorted(forks)[:NAMED]}
        self._log.append(canonical(leaf))
        start, back = self._held.pop(number, None), None
        if after != sealed:
            start = min(manifest.offset for manifest in manifests.values() if manifest.prev == after)
            back = SealPosition(next=0 if after is None else start, head=after, taken=place.taken)
        self._chain.choose(number, statement.note, statement.sha256, back, forks)
        branch_files.release(self._files, number)
        values = {"by": statement.by, "reason": statement.reason, "sha256": statement.sha256}
        self._told(ChainFinding("branched", number, manifests[statement.sha256].offset, values))
        return start

    def _links(self, partition: int, sealed: str | None, manifests: Mapping[str, Written]) -> dict[str, str | None]:
        """The links of a partition's manifests, and of the sealed ones that the broker has lost."""
        links = {hash_: manifest.prev for hash_, manifest in manifests.items()}
        if sealed is not None and sealed not in links:
            links = sealed_links(Tree(self._files, self._log.sealed.size).every_leaf(), partition) | links
        return links

    def _joint(self, statement: Statement, links: Links) -> tuple[str | None] | None:
        """The sealed manifest from which the chosen branch goes on; None if it does not, or is sealed already."""
        sealed = self._chain.head(statement.partition)
        if statement.sha256 not in links or (sealed is not None and statement.sha256 in lineage(links, sealed)):
            return None
        if sealed is None or sealed in (statement.sha256, *lineage(links, statement.sha256)):
            return (sealed,)
        return parting(links, statement.sha256, sealed)

    def _place(self, partition: int, hash_: str) -> SealedPlace | None:
        return sealed_place(Tree(self._files, self._log.sealed.size).every_leaf(), partition, hash_)
