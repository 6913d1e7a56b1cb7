"""Checks that every input is accounted for: compares manifests with inputs, records and outputs (audit.md §4).

A manifest claims a range of offsets, the gaps in it, and the number of its audit records. This check trusts none of
these claims. Ranges must join, and gaps must be empty. Each input in a range must have one audit record of its own.
Each output must have one audit record that leads to it. Data that the broker no longer keeps cannot be proven, and is
reported as expired.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from hashlib import sha256
from types import MappingProxyType
from typing import Any

import orjson

from gatekeeper.audit.checks.accounts import OWN, Accounts
from gatekeeper.audit.checks.chain import not_signed, told_kid
from gatekeeper.audit.checks.coverage_report import Covered, End, ForkedBranch, Range, SkippedRange, plain
from gatekeeper.audit.checks.pairing import Input, Outgoing, Records, Signed
from gatekeeper.audit.tlog.branch_statement import Statement
from gatekeeper.audit.tlog.manifest_chain import ManifestChain, Step
from gatekeeper.audit.tlog.notes import Vkey
from gatekeeper.audit.tlog.ranges import MAX_RECORDS, offsets, spans
from schemas.codec import Unreadable, decode
from schemas.manifests import Manifest
from schemas.topics import logical_name

NO_ERAS: Mapping[str, int] = MappingProxyType({})


def covered(
    partition: int,
    manifests: Iterable[Signed],
    *,
    keys: Sequence[Vkey],
    first: int,
    settled: int,
    records: Records,
    inputs: Mapping[str, Input],
    outputs: Mapping[str, Outgoing],
    head: End | None,
    eras: Mapping[str, int] = NO_ERAS,
    beside: Container[str] = (),
    statement: Statement | None = None,
) -> Covered:
    """The coverage of a partition. Pass every iterable in the order of its topic.

    `keys`: the workers' public keys; without any, no signature is checked. `first`: the first offset of `manifests`
    that the broker keeps. Manifests from `settled` on were written during the reading, and nothing is demanded for
    them. `head`: the position in the ledger, read before everything else. `eras`: the present era of each input; what
    belongs to an earlier one is gone. `beside`: manifests that are not on the
    branch that counts, by SHA-256 (hex). `statement`: the choice of a person about this partition.
    """
    if head is not None and head.prev is not None and head.prev in beside:
        head = None  # a thief wrote it
    check = _Check(partition, records, inputs, outputs, head, eras, beside, statement, keys=keys, cut=first > 0)
    for manifest in manifests:
        check.take(manifest, demanded=manifest.offset < settled)
    return check.end()


class _Check:
    def __init__(
        self,
        partition: int,
        records: Records,
        inputs: Mapping[str, Input],
        outputs: Mapping[str, Outgoing],
        head: End | None,
        eras: Mapping[str, int],
        beside: Container[str],
        statement: Statement | None,
        *,
        keys: Sequence[Vkey],
        cut: bool,
    ) -> None:
        self._found = Covered(partition, 0, 0, {}, {}, [], [], [])
        self._keys = {key.kid: key for key in keys}
        self._accounts = Accounts(self._found, records, outputs, cut=cut)
        self._inputs, self._outputs, self._head, self._eras = inputs, outputs, head, eras
        self._chain = ManifestChain(name=logical_name, whole=not (cut or records.start > 0))
        self._hashes: set[str] = set()
        self._absent: dict[str, int] = {}
        """Missing manifests that another names as predecessor, with the index of the finding."""
        self._reached = head is None or head.prev is None
        self._last = 0
        self._beside, self._statement = beside, statement
        self._branches: dict[str, ForkedBranch] = {}
        """The branches that do not count, by the SHA-256 (hex) of each of their manifests."""

    def take(self, manifest: Signed, *, demanded: bool) -> None:
        """Checks a manifest and its claims. One without valid signature counts only if it continues the chain."""
        self._last = manifest.offset
        try:
            parsed: Manifest = decode("manifests", None, manifest.value)
            if not {logical_name(taken.topic) for taken in parsed.in_} <= OWN.keys():
                raise Unreadable("field_invalid", "in")
            content = orjson.loads(manifest.value)
            count = sum(len(span) for taken in content["in"] for span in spans(taken))
            if max(count, content["audit"]["n"]) > MAX_RECORDS:
                raise Unreadable("field_invalid", "n")  # else anyone who may write a manifest could fill the memory
        except Unreadable as fault:
            self._found.find("unreadable_manifest", "manifests", manifest.offset, str(fault))
            return
        if parsed.partition != self._found.partition:
            self._found.find("moved_manifest", "manifests", manifest.offset, f"partition {parsed.partition}")
            return
        if self._keys and (wrong := not_signed(manifest.value, manifest.signature, self._keys.get(parsed.kid))):
            self._found.find(wrong, "manifests", manifest.offset, told_kid(parsed.kid))
            if parsed.prev != self._chain.head:
                return
        hash_ = sha256(manifest.value).hexdigest()
        if hash_ in self._beside:
            self._fork(manifest.offset, content, hash_)
            return
        step = self._chain.step(content, hash_)
        self._broken(manifest.offset, step, content["prev"], hash_)
        for faulty in step.apart:
            self._found.find(faulty.fault, faulty.topic, faulty.first, f"to {faulty.to}")
        for taken in content["in"]:
            self._range(manifest.offset, taken, demanded=demanded)
        for skipped in content.get("skipped", ()):
            self._skip(manifest.offset, skipped)
        self._accounts.take(manifest.offset, content, joined=step.joined, demanded=demanded)
        for outgoing in self._outputs.values():
            outgoing.pull(max(content["audit"]["n"], 1))
        self._found.manifests += 1
        if self._head is not None and hash_ == self._head.prev:
            self._reached = True
            for topic, position in (("sends", self._head.sends), ("acts", self._head.acts)):
                claimed = self._found.claimed.get(topic)
                if claimed is not None and claimed.to != position:
                    self._found.find("skipped_offset", topic, claimed.to, f"head {position}")

    def end(self) -> Covered:
        """The result, after all manifests were taken."""
        if not self._reached and self._head is not None:
            self._found.find("missing_manifest", "manifests", self._last + 1, f"head {self._head.prev}")
            for topic, position in (("sends", self._head.sends), ("acts", self._head.acts)):
                claimed = self._found.claimed.get(topic)
                self._accounts.told.append((topic, None, claimed.to if claimed else 0, position))
        self._accounts.end(joined=self._reached)
        for skip in self._found.skipped:
            if self._is_unsaid(skip):
                self._found.find("unsaid_skip", "manifests", skip.manifest, f"{skip.topic} {skip.start} to {skip.to}")
        self._accounts.unaccounted()
        return self._found

    def _fork(self, offset: int, content: Mapping[str, Any], hash_: str) -> None:
        """Reports a manifest that is not on the branch that counts; nothing that it claims is counted."""
        self._found.find("forked_manifest", "manifests", offset, hash_)
        branch = self._branches.get(content["prev"]) or ForkedBranch.begun(offset, self._statement)
        if not branch.manifests:
            self._found.branches.append(branch)
        branch.manifests, branch.sha256, branch.last = branch.manifests + 1, hash_, offset
        self._branches[hash_] = branch
        self._accounts.fork(content, branch)

    def _broken(self, offset: int, step: Step, prev: str | None, hash_: str) -> None:
        """Reports a manifest that does not follow the last one."""
        if step.link and not step.joined:
            back = step.link == "broken_chain" and (prev is None or prev in self._hashes)
            self._absent[str(prev)] = len(self._found.findings)
            self._found.find("reordered_manifest" if back else step.link, "manifests", offset, f"prev {prev}")
        if (index := self._absent.pop(hash_, None)) is not None:
            self._found.findings[index] = self._found.findings[index]._replace(fault="reordered_manifest")
        self._hashes.add(hash_)

    def _range(self, offset: int, taken: Mapping[str, Any], *, demanded: bool) -> None:
        topic, start, to, era = logical_name(taken["topic"]), taken["from"], taken["to"], taken.get("era", 0)
        claimed = self._found.claimed.setdefault(topic, Range(start, start, 0))
        behind = start < claimed.to
        if start > claimed.to:
            self._accounts.told.append((topic, era, claimed.to, start))
        positions = [*offsets(taken)]
        claimed.to, claimed.n = max(claimed.to, to), claimed.n + taken["n"]
        for position in positions:
            self._accounts.claim((topic, era, position), offset if demanded else None)
        if era < self._eras.get(topic, 0):
            self._found.expired[topic] = self._found.expired.get(topic, 0) + to - start
        elif (kept := self._inputs.get(topic)) is not None and not behind:
            readable, claims = kept.within(start, to), set(positions)
            for position in sorted(readable - claims):
                self._found.find("false_gap", topic, position, f"manifests/{offset}")
            for position in sorted(claims - readable):
                if position >= kept.start:
                    self._found.find("claimed_nothing", topic, position, f"manifests/{offset}")
            if start < kept.start:
                self._found.expired[topic] = self._found.expired.get(topic, 0) + min(to, kept.start) - start

    def _skip(self, offset: int, skipped: Mapping[str, Any]) -> None:
        """Moves an input on to the offset that a person chose. Offsets between need no record."""
        topic, start, to = logical_name(skipped["topic"]), skipped["from"], skipped["to"]
        self._found.claimed.setdefault(topic, Range(start, start, 0)).to = to
        self._accounts.told.append((topic, None, start, to))
        who = {name: plain(skipped[name]) for name in ("act", "by", "refused")}
        self._found.skipped.append(SkippedRange(topic, start, to, **who, place=skipped["offset"], manifest=offset))

    def _is_unsaid(self, skip: SkippedRange) -> bool:
        """Tells whether the act of a skip was due by now, but no such act is recorded."""
        claimed = self._found.claimed.get("acts")
        if claimed is None or claimed.to <= skip.place:
            return False
        act = self._accounts.acts.get(skip.place) or {}
        resumed = act.get("resumed") or {}
        recorded = act.get("act_id"), act.get("by"), resumed.get("refused"), resumed.get(skip.topic)
        return recorded != (skip.act, skip.by, skip.refused, skip.to)
