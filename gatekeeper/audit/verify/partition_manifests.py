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
        while manifest := ahead.popleft() if ahead else next(coming, None):
            ahead.extend(islice(coming, LOOKAHEAD - len(ahead)))
            self._report.manifests += 1
            if manifest.place <= self._place:
                self._report.add("reordered_manifest", manifest.place)
            self._place, left = manifest.place, self._log.branches.abandoned.get(leaf_hash(manifest.value))
            try:
                if left is not None and leaf_hash(manifest.value) not in self._sealed:
                    self._report.add("forked_manifest", manifest.place, leaf=left)
                    self._records.take(manifest, ahead)
                    continue
                self._signed(manifest)
                self._follows(manifest)
                self._records.take(manifest, ahead)
            except MALFORMED:
                raise Trouble("unreadable_manifest", partition=self._number, offset=manifest.place[1]) from None
        behind = self._number, self._place[1] + 1
        for leaf in self._coming:
            self._report.add("missing_manifest", behind, leaf=leaf)
        self._skips.end()
        if self._unsealed:
            self._report.unsealed += len(self._unsealed)
            self._report.add("unsealed", self._unsealed[0], size=self._report.leaves, count=len(self._unsealed))
        if self._records.rest():
            self._report.add("stray_record", behind, count=None)

    def _signed(self, manifest: ManifestLine) -> None:
        """Checks a manifest's signature, and its place in the log."""
        kid, index = str(manifest.said.get("kid")), self._sealed.get(leaf_hash(manifest.value))
        if kid not in self._workers:
            if kid not in self._unknown:
                self._unknown.add(kid)
                self._report.add("unknown_key", manifest.place, kid=kid)
        elif fault := signature_fault(manifest.value, manifest.sig, self._workers[kid]):
            self._report.add(fault, manifest.place, kid=kid)
        if not self._log.there:
            return
        if index is None and not self._coming and (manifest.index is None or manifest.index >= self._report.leaves):
            self._unsealed.append(manifest.place)
        elif index is None:
            self._report.add("not_sealed", manifest.place, leaf=manifest.index)
            if self._coming and self._coming[0] == manifest.index:
                self._coming.popleft()
        elif not self._coming or index < self._coming[0]:
            self._report.add("repeated_manifest", manifest.place, leaf=index)
        else:
            while (leaf := self._coming.popleft()) != index:
                self._report.add("missing_manifest", manifest.place, leaf=leaf)
                self._records.left_behind(self._log.leaf(leaf), manifest.place)
            if manifest.index != index:
                self._report.add("wrong_leaf", manifest.place, leaf=index, said=manifest.index)

    def _follows(self, manifest: ManifestLine) -> None:
        """Checks that a manifest continues the one before, and that its ranges add up."""
        content = manifest.said
        if content["partition"] != self._number:
            self._report.add("moved_manifest", manifest.place, partition_said=content["partition"])
        for skipped in content.get("skipped", ()):
            self._skips.add(manifest.place, skipped)
        begins, step = self._chain.head is None, self._chain.step(content, sha256(manifest.value).hexdigest())
        if step.link and content["prev"] not in self._log.beyond:  # a manifest beyond the period is not here
            sealed = leaf_hash(manifest.value) in self._sealed
            if step.joined and sealed:  # the time of its predecessor is unknown
                self._report.add(step.link, manifest.place)
            elif not step.joined and (begins or not sealed):  # a sealed manifest follows in the log
                self._report.add(step.link, manifest.place, before=self._before)
        self._before = manifest.place[1]
        for wrong in step.apart:
            self._report.add(wrong.fault, manifest.place, topic=wrong.topic, first=wrong.first, to=wrong.to)
        policy = f"policies/{content['policy']['sha256']}.toml"
        self._needed.add(policy if HASHED.fullmatch(policy) else "policies/?.toml")
