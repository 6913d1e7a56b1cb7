"""Checks that every input is accounted for: compares manifests with inputs, records and outputs (audit.md §4).

A manifest claims a range of offsets, the gaps in it, and the number of its audit records. This check trusts none of
these claims. Ranges must join, and gaps must be empty. Each input in a range must have one audit record of its own.
Each output must have one audit record that leads to it. Data that the broker no longer keeps cannot be proven, and is
reported as expired.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import chain
from typing import Any

import orjson

from gatekeeper.audit.checks.chain import not_signed, told_kid
from gatekeeper.audit.checks.coverage_report import CoverageFinding, Covered, End, Fault, Range, SkippedRange, plain
from gatekeeper.audit.checks.pairing import Input, Outgoing, Placed, Records, Signed
from gatekeeper.audit.records.record import FOREIGN
from gatekeeper.audit.records.record import did as derived
from gatekeeper.audit.tlog import merkle
from gatekeeper.audit.tlog.notes import Vkey
from gatekeeper.audit.tlog.ranges import MAX_RECORDS
from schemas.audit import DID_PATTERN
from schemas.codec import Unreadable, decode
from schemas.manifests import Manifest
from schemas.topics import logical_name

OWN = {"sends": ("intake",), "acts": ("act", "release")}
"""Stages of the one audit record that each input record has, by input topic."""
OUTPUTS = ("cleared", "review", "confirmations", "recalls", "deadletter")


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
) -> Covered:
    """The coverage of a partition. Pass every iterable in the order of its topic.

    `keys`: the workers' public keys; without any, no signature is checked. `first`: the first offset of `manifests`
    that the broker keeps. Manifests from `settled` on were written during the reading, and nothing is demanded for
    them. `head`: the position in the ledger, read before everything else.
    """
    check = _Check(partition, records, inputs, outputs, head, keys=keys, cut=first > 0)
    for manifest in manifests:
        check.take(manifest, demanded=manifest.offset < settled)
    return check.end()


def put_out(said: Mapping[str, Any]) -> tuple[str, str] | None:
    """The output record that an audit record leads to: its topic and decision id; None without one."""
    act, did, live = said.get("act") or {}, said["did"], said.get("mode", "live") == "live"
    told = "cleared" if said["verdict"] == "clear" and live else "review"
    if said["stage"] == "intake":
        dead = said["send"] is None or [reason["code"] for reason in said["reasons"]] == ["EVENT_INVALID"]
        return ("deadletter" if dead else told), did
    outcome = act.get("outcome")
    if outcome == "reemitted":
        return "cleared", act["item"]
    if outcome in ("cleared", "withheld"):
        return told, did
    if outcome == "recalled" or said["stage"] == "recall":
        return "recalls", did
    if outcome == "asked" and act["code"] != "waits_along":
        return "confirmations", did
    return ("deadletter", did) if outcome == "unreadable" else None


class _Check:
    def __init__(
        self,
        partition: int,
        records: Records,
        inputs: Mapping[str, Input],
        outputs: Mapping[str, Outgoing],
        head: End | None,
        *,
        keys: Sequence[Vkey],
        cut: bool,
    ) -> None:
        self._found = Covered(partition, 0, 0, {}, {}, [], [])
        self._keys = {key.kid: key for key in keys}
        self._records, self._inputs, self._outputs, self._head = records, inputs, outputs, head
        self._cut = cut or records.start > 0
        self._prev: str | None = None
        self._hashes: set[str] = set()
        self._absent: dict[str, int] = {}
        """Missing manifests that another names as predecessor, with the index of the finding."""
        self._waiting: dict[tuple[str, int], int | None] = {}
        """Inputs of a range that have no audit record yet, with their manifest; None if no record is demanded."""
        self._surplus: dict[tuple[str, int], list[int]] = {}
        """Inputs outside every range, or with an audit record already; offsets of the surplus audit records."""
        self._told: list[tuple[str, int, int]] = []
        """Ranges of inputs that a finding already covers: topic, from, to."""
        self._acts: dict[int, dict[str, Any]] = {}
        """Acts that resume a refused partition, by offset on `acts`."""
        self._loose = False
        """True while the next records may be left over from a torn transaction."""
        self._claiming = False
        self._oldest: str | None = None
        self._reached = head is None or head.prev is None
        self._last = 0

    def take(self, manifest: Signed, *, demanded: bool) -> None:
        """Checks a manifest and its claims. One without valid signature counts only if it continues the chain."""
        self._last = manifest.offset
        try:
            read: Manifest = decode("manifests", None, manifest.value)
            if read.partition != self._found.partition:
                raise Unreadable("field_invalid", "partition")
            if not {logical_name(one.topic) for one in read.in_} <= OWN.keys():
                raise Unreadable("field_invalid", "in")
            said = orjson.loads(manifest.value)
            held = sum(len(some) for one in said["in"] for some in _outside(one["gaps"], one["from"], one["to"]))
            if max(held, said["audit"]["n"]) > MAX_RECORDS:
                raise Unreadable("field_invalid", "n")  # else anyone who may write a manifest could fill the memory
        except Unreadable as fault:
            self._find("foreign_manifest", "manifests", manifest.offset, str(fault))
            return
        if self._unsigned(manifest, read.kid) and read.prev != self._prev:
            return
        hash_ = sha256(manifest.value).hexdigest()
        joined = self._chain(manifest.offset, said["prev"], hash_)
        for taken in said["in"]:
            self._range(manifest.offset, taken, joined=joined, demanded=demanded)
        for skipped in said.get("skipped", ()):
            self._skip(manifest.offset, skipped)
        self._own(manifest.offset, said, joined=joined, demanded=demanded)
        for outgoing in self._outputs.values():
            outgoing.pull(max(said["audit"]["n"], 1))
        self._found.manifests += 1
        if self._head is not None and hash_ == self._head.prev:
            self._reached = True
            for topic, position in (("sends", self._head.sends), ("acts", self._head.acts)):
                claimed = self._found.claimed.get(topic)
                if claimed is not None and claimed.to != position:
                    self._find("skipped_offset", topic, claimed.to, f"head {position}")

    def end(self) -> Covered:
        """The result, after all manifests were taken."""
        if not self._reached and self._head is not None:
            self._find("dropped_manifest", "manifests", self._last + 1, f"head {self._head.prev}")
            for topic, position in (("sends", self._head.sends), ("acts", self._head.acts)):
                claimed = self._found.claimed.get(topic)
                self._told.append((topic, claimed.to if claimed else 0, position))
        self._leftover([*self._records.rest()], joined=self._reached, demanded=True)
        for skip in self._found.skipped:
            if self._is_unsaid(skip):
                self._find("unsaid_skip", "manifests", skip.manifest, f"{skip.topic} {skip.start} to {skip.to}")
        for (topic, offset), manifest in self._waiting.items():
            if manifest is not None and not self._is_told(topic, offset):
                self._find("omitted_record", topic, offset, f"manifests/{manifest}")
        for (topic, offset), places in self._surplus.items():
            claimed = self._found.claimed.get(topic)
            inside = claimed is not None and claimed.start <= offset < claimed.to
            if not self._is_told(topic, offset):
                for place in places:
                    self._find("doubled_record" if inside else "foreign_record", "audit", place, f"{topic}/{offset}")
        for topic, outgoing in self._outputs.items():
            missing, unknown = outgoing.ended()
            for did, place in missing:
                self._find("missing_output", "audit", place, f"{topic} {_id(did)}".strip())
            for put in unknown:
                if self._oldest is None or not put.before(self._oldest):
                    self._find("output_without_record", topic, put.offset, _id(put.did))
            if outgoing.expired:
                self._found.expired[topic] = outgoing.expired
        return self._found

    def _unsigned(self, manifest: Signed, kid: str) -> bool:
        """Tells whether no known worker's key has signed the manifest, and reports that."""
        wrong = not_signed(manifest.value, manifest.signature, self._keys.get(kid)) if self._keys else None
        if wrong is None:
            return False
        fault: Fault = "unknown_key" if wrong == "key_unknown" else "unsigned_manifest"
        self._find(fault, "manifests", manifest.offset, told_kid(kid))
        return True

    def _chain(self, offset: int, prev: str | None, hash_: str) -> bool:
        """Tells whether the manifest follows the last one, and reports a break."""
        joined = prev == self._prev or (self._found.manifests == 0 and self._cut)
        if not joined and (prev is None or prev in self._hashes):
            self._find("reordered_partition", "manifests", offset)
        elif not joined and prev is not None:
            self._absent[prev] = len(self._found.findings)
            self._find("dropped_manifest", "manifests", offset, f"prev {prev}")
        if (place := self._absent.pop(hash_, None)) is not None:
            self._found.findings[place] = self._found.findings[place]._replace(fault="reordered_partition")
        self._hashes.add(hash_)
        self._prev = hash_
        return joined

    def _range(self, offset: int, taken: Mapping[str, Any], *, joined: bool, demanded: bool) -> None:
        topic, start, to = logical_name(taken["topic"]), taken["from"], taken["to"]
        claimed = self._found.claimed.setdefault(topic, Range(start, start, 0))
        behind = start < claimed.to
        if start > claimed.to:
            self._told.append((topic, claimed.to, start))
            if joined:
                self._find("skipped_offset", topic, claimed.to, f"to {start}")
        elif behind and joined:
            self._find("reordered_partition", topic, start, f"after {claimed.to}")
        held = [*chain.from_iterable(_outside(taken["gaps"], start, to))]
        if len(held) != taken["n"]:
            self._find("skipped_offset", topic, start, f"{taken['n']} of {len(held)} to {to}")
        claimed.to, claimed.n = max(claimed.to, to), claimed.n + taken["n"]
        for each in held:
            if self._surplus.pop((topic, each), None) is None:
                self._waiting[topic, each] = offset if demanded else None
        if (kept := self._inputs.get(topic)) is not None and not behind:
            readable, claims = kept.within(start, to), set(held)
            for each in sorted(readable - claims):
                self._find("false_gap", topic, each, f"manifests/{offset}")
            for each in sorted(claims - readable):
                if each >= kept.start:
                    self._find("claimed_nothing", topic, each, f"manifests/{offset}")
            if start < kept.start:
                self._found.expired[topic] = self._found.expired.get(topic, 0) + min(to, kept.start) - start

    def _skip(self, offset: int, said: Mapping[str, Any]) -> None:
        """Moves an input on to the offset that a person chose. Offsets between need no record."""
        topic, start, to = logical_name(said["topic"]), said["from"], said["to"]
        claimed = self._found.claimed.setdefault(topic, Range(start, start, 0))
        if claimed.to != start:
            self._find("skipped_offset", topic, claimed.to, f"to {start}")
        claimed.to = to
        self._told.append((topic, start, to))
        who = {name: plain(said[name]) for name in ("act", "by", "refused")}
        self._found.skipped.append(SkippedRange(topic, start, to, **who, place=said["offset"], manifest=offset))

    def _is_unsaid(self, skip: SkippedRange) -> bool:
        """Tells whether the act of a skip was due by now, but no such act is recorded."""
        claimed = self._found.claimed.get("acts")
        if claimed is None or claimed.to <= skip.place:
            return False
        act = self._acts.get(skip.place) or {}
        resumed = act.get("resumed") or {}
        said = act.get("act_id"), act.get("by"), resumed.get("refused"), resumed.get(skip.topic)
        return said != (skip.act, skip.by, skip.refused, skip.to)

    def _own(self, offset: int, said: Mapping[str, Any], *, joined: bool, demanded: bool) -> None:
        """Takes the records of a manifest, and the records before them."""
        n, ranges = said["audit"]["n"], [(logical_name(one["topic"]), one["from"], one["to"]) for one in said["in"]]
        if not n:
            return
        before = self._records.before(said["audit"]["from_id"])
        self._leftover(before or [], joined=joined, demanded=demanded)
        taken = [] if before is None else self._records.take(n)
        if merkle.root([record.value for record in taken]).hex() != said["root"]:
            if demanded:
                self._find("torn_transaction", "manifests", offset, f"{n} records")
            self._told += ranges
            self._records.put_back(taken[1:])  # records of the next manifest may be among them
            taken = taken[:1]
            self._loose = True
        for record in taken:
            self._record(record, demanded=demanded)
        self._claiming = True

    def _leftover(self, records: list[Placed], *, joined: bool, demanded: bool) -> None:
        """Takes records without a manifest: before those of a manifest, or after those of the last one."""
        expired = self._cut and not self._claiming
        if records and not (self._loose or expired) and joined:
            self._find("foreign_record", "audit", records[0].offset, f"{len(records)} without manifest")
            self._loose = True
        for record in records:
            self._record(record, demanded=demanded, counted=not (expired or self._loose) or not joined)
        self._loose = False

    def _record(self, record: Placed, *, demanded: bool, counted: bool = True) -> None:
        try:
            said = orjson.loads(record.value)
            src, stage, at = said["src"], said["stage"], str(said["at"])
            topic, place = logical_name(src["topic"]), (src["topic"], int(src["partition"]), int(src["offset"]))
            out, again = put_out(said), (said.get("act") or {}).get("kind") == "reemit"
            id_ = derived(*place, stage, said["clearance"] if stage == "handoff" else "")
        except FOREIGN:
            self._find("foreign_record", "audit", record.offset, "unreadable")
            return
        self._found.records += 1
        if topic == "acts" and (said.get("act") or {}).get("kind") == "resume_partition":
            self._acts[place[2]] = said["act"]
        if self._oldest is None and self._cut:
            self._oldest = at
        if stage in OWN.get(topic, ()) or again:
            if place[1] != self._found.partition or said["did"] != id_:
                self._find("foreign_record", "audit", record.offset, f"{topic}/{place[1]}/{place[2]}")
                return
            if self._waiting.pop((topic, place[2]), False) is False and counted:
                self._surplus.setdefault((topic, place[2]), []).append(record.offset)
        if out is not None and again:
            self._outputs[out[0]].allow(str(out[1]))
        elif out is not None and out[0] in self._outputs:
            self._outputs[out[0]].expect(str(out[1]), record.offset, at, demanded=demanded)

    def _is_told(self, topic: str, offset: int) -> bool:
        return any(name == topic and start <= offset < to for name, start, to in self._told)

    def _find(self, fault: Fault, topic: str, offset: int, detail: str = "") -> None:
        topic, detail = (plain(one) for one in (topic, detail))
        self._found.findings.append(CoverageFinding(fault, self._found.partition, topic, offset, detail))


def _id(did: object) -> str:
    """The decision id, or '' if malformed, as a forger may have written anything."""
    return did if isinstance(did, str) and re.fullmatch(DID_PATTERN, did) else ""


def _outside(gaps: Iterable[Mapping[str, int]], start: int, to: int) -> Iterator[range]:
    """Yields the offsets of a range that are in no gap."""
    at = start
    for gap in sorted(gaps, key=lambda gap: gap["first"]):
        yield range(at, min(gap["first"], to))
        at = max(at, gap["first"] + gap["n"])
    yield range(at, to)
