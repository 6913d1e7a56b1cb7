"""Checks the manifests of a partition against each other, the log, and the partition's records."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from hashlib import sha256
from itertools import islice

from gatekeeper.audit.tlog.canonical_json import MALFORMED
from gatekeeper.audit.tlog.manifest_chain import ManifestChain, signature_fault
from gatekeeper.audit.tlog.merkle import leaf_hash
from gatekeeper.audit.tlog.notes import Vkey
from gatekeeper.audit.verify.export_folder import HASHED
from gatekeeper.audit.verify.exported_log import ExportedLog
from gatekeeper.audit.verify.findings import Report, Trouble
from gatekeeper.audit.verify.input_files import Lines
from gatekeeper.audit.verify.manifest_lines import ManifestLine, read_manifests
from gatekeeper.audit.verify.partition_records import PartitionRecords
from gatekeeper.audit.verify.skips import Skips

LOOKAHEAD = 64
"""Manifests that are read ahead; if some records do not fit, these show where their own records begin."""


class PartitionManifests:
    """One partition's manifests in order: signed, chained, sealed, and each with its records."""

    def __init__(
        self,
        number: int,
        records: PartitionRecords,
        skips: Skips,
        report: Report,
        *,
        log: ExportedLog,
        workers: Mapping[str, Vkey],
        needed: set[str],
        whole: bool,
    ) -> None:
        """`workers`: public keys by NAME+HASH. `needed`: collects the files that the export must hold.

        `whole`: the export begins with the very first manifest.
        """
        self._number, self._records, self._skips, self._report = number, records, skips, report
        self._log, self._workers, self._needed = log, workers, needed
        self._sealed = log.sealed.pop(number, {})
        self._coming = deque(self._sealed.values())
        """The leaf numbers that are still to come."""
        self._unsealed: list[tuple[int, int]] = []
        self._unknown: set[str] = set()
        """The unknown keys that were reported already."""
        self._place = number, -1
        self._chain = ManifestChain(whole=whole)
        self._before: int | None = None
        """The offset of the manifest before, the head of the chain."""

    def check(self, manifests: Lines) -> None:
        """Adds all findings to the report; raises Trouble for a line that is no manifest."""
        if self._records.names_reference():
            self._needed.add("reference/")
        coming, ahead = read_manifests(manifests, self._number), deque[ManifestLine]()
        while one := ahead.popleft() if ahead else next(coming, None):
            ahead.extend(islice(coming, LOOKAHEAD - len(ahead)))
            self._report.manifests += 1
            if one.place <= self._place:
                self._report.add("reordered_manifest", one.place)
            self._place, left = one.place, self._log.branches.abandoned.get(leaf_hash(one.value))
            try:
                if left is not None and leaf_hash(one.value) not in self._sealed:
                    self._report.add("forked_manifest", one.place, leaf=left)
                    self._records.take(one, ahead)
                    continue
                self._signed(one)
                self._follows(one)
                self._records.take(one, ahead)
            except MALFORMED:
                raise Trouble("unreadable_manifest", partition=self._number, offset=one.place[1]) from None
        behind = self._number, self._place[1] + 1
        for leaf in self._coming:
            self._report.add("missing_manifest", behind, leaf=leaf)
        self._skips.end()
        if self._unsealed:
            self._report.unsealed += len(self._unsealed)
            self._report.add("unsealed", self._unsealed[0], size=self._report.leaves, count=len(self._unsealed))
        if self._records.rest():
            self._report.add("stray_record", behind, count=None)

    def _signed(self, one: ManifestLine) -> None:
        """Checks a manifest's signature, and its place in the log."""
        kid, index = str(one.said.get("kid")), self._sealed.get(leaf_hash(one.value))
        if kid not in self._workers:
            if kid not in self._unknown:
                self._unknown.add(kid)
                self._report.add("unknown_key", one.place, kid=kid)
        elif fault := signature_fault(one.value, one.sig, self._workers[kid]):
            self._report.add(fault, one.place, kid=kid)
        if not self._log.there:
            return
        if index is None and not self._coming and (one.index is None or one.index >= self._report.leaves):
            self._unsealed.append(one.place)
        elif index is None:
            self._report.add("not_sealed", one.place, leaf=one.index)
            if self._coming and self._coming[0] == one.index:
                self._coming.popleft()
        elif not self._coming or index < self._coming[0]:
            self._report.add("repeated_manifest", one.place, leaf=index)
        else:
            while (leaf := self._coming.popleft()) != index:
                self._report.add("missing_manifest", one.place, leaf=leaf)
                self._records.left_behind(self._log.leaf(leaf), one.place)
            if one.index != index:
                self._report.add("wrong_leaf", one.place, leaf=index, said=one.index)

    def _follows(self, one: ManifestLine) -> None:
        """Checks that a manifest continues the one before, and that its ranges add up."""
        said = one.said
        if said["partition"] != self._number:
            self._report.add("moved_manifest", one.place, partition_said=said["partition"])
        for skipped in said.get("skipped", ()):
            self._skips.add(one.place, skipped)
        begins, step = self._chain.head is None, self._chain.step(said, sha256(one.value).hexdigest())
        if step.link and said["prev"] not in self._log.beyond:  # a manifest beyond the period is not here
            sealed = leaf_hash(one.value) in self._sealed
            if step.joined and sealed:  # the time of its predecessor is unknown
                self._report.add(step.link, one.place)
            elif not step.joined and (begins or not sealed):  # a sealed manifest follows in the log
                self._report.add(step.link, one.place, before=self._before)
        self._before = one.place[1]
        for wrong in step.apart:
            self._report.add(wrong.fault, one.place, topic=wrong.topic, first=wrong.first, to=wrong.to)
        policy = f"policies/{said['policy']['sha256']}.toml"
        self._needed.add(policy if HASHED.fullmatch(policy) else "policies/?.toml")
