"""Admits manifests to the sealed log: only those signed by a known worker that continue their partition's chain."""

from __future__ import annotations

import base64
from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Literal

import orjson

from gatekeeper.audit.checks.sealed_ends import UNSEALED, SealedEnds, SealPosition
from gatekeeper.audit.log.writer import LEAF_BYTES
from gatekeeper.audit.tlog.log_faults import Fault
from gatekeeper.audit.tlog.manifest_chain import ManifestChain, Step, signature_fault
from gatekeeper.audit.tlog.notes import KEY_ID, Vkey
from schemas.codec import Unreadable, decode
from schemas.manifests import Manifest

FOREIGN: frozenset[Fault] = frozenset(
    ("unsigned_manifest", "unknown_key", "forged_manifest", "repeated_offset", "repeated_manifest", "forked_manifest")
)
NO_MANIFEST: frozenset[Fault] = frozenset(("unreadable_manifest", "moved_manifest"))


@dataclass(frozen=True, slots=True)
class ChainFinding:
    """A fault of one record of `topic`, with its place. `values` fill the sentence of its fault."""

    fault: Fault
    partition: int
    offset: int
    values: Mapping[str, Any] = field(default_factory=dict)
    topic: Literal["manifests", "audit"] = "manifests"

    @property
    def place(self) -> str:
        """The record's place as shown to people: `TOPIC/PARTITION/OFFSET`."""
        return f"{self.topic}/{self.partition}/{self.offset}"


class Chain:
    """The sealed chain of each partition of `manifests`.

    A record that cannot be sealed is set aside and leaves the head unchanged. A stranger's record therefore does no
    harm to later manifests. After a missing manifest, nothing more of its partition is sealed. The chain never forks.
    """

    def __init__(self, state: Mapping[int, SealPosition], *, keys: Callable[[], Sequence[Vkey]]) -> None:
        """Continues from a result of `state`. `keys`: gives the workers' public keys as of each call.

        `keys` is called for every key id that is not known yet.
        """
        self._listed = keys
        self._keys: dict[str, Vkey] = {}
        self._sealed = dict(state)
        self._aside: dict[tuple[int, str], int] = {}  # partition and named predecessor to offset
        self._broken: set[int] = set()
        self._ends = SealedEnds()

    def state(self) -> dict[int, SealPosition]:
        """The positions to continue from at the next start, by partition."""
        return dict(self._sealed)

    def ends(self, leaves: Iterable[bytes]) -> bool:
        """Tells whether each partition's position is that of its last manifest among these leaves of a log.

        Takes from them what they say of branches, too. All leaves are read, at about 5 µs each.
        """
        ends = SealedEnds()
        try:
            for leaf in leaves:
                ends.take(leaf)
        except ValueError:
            return False
        self._ends = ends
        return ends.fit(self._sealed)

    def choose(self, partition: int, note: str, chosen: str, back: SealPosition | None, forks: Collection[str]) -> None:
        """Follows a statement from here on.

        `note`: the statement. `chosen`: SHA-256 (hex) of the manifest that it chose. `back`: the position from which
        its branch goes on, None for the present one. `forks`: the manifests beside its branch.
        """
        self._ends.stated.add(note)
        self._ends.chosen[partition] = chosen
        self._ends.forks[partition].update(forks)
        self._broken.discard(partition)
        self._aside = {place: offset for place, offset in self._aside.items() if place[0] != partition}
        if back is not None:
            self._sealed[partition] = back

    def is_stated(self, note: str) -> bool:
        """Tells whether this statement was followed before."""
        return note in self._ends.stated

    def chosen(self, partition: int) -> str | None:
        """The SHA-256 (hex) of the manifest that the newest statement about the partition chose, None without one."""
        return self._ends.chosen.get(partition)

    def forks(self, partition: int) -> Collection[str]:
        """The manifests that were beside the branch so far, by SHA-256 (hex)."""
        return self._ends.forks[partition]

    def tell(self, partition: int, hash_: str) -> bool:
        """Notes that a manifest that does not count has its leaf; False if it had one before."""
        before = hash_ in self._ends.told[partition]
        self._ends.told[partition].add(hash_)
        return not before

    def head(self, partition: int) -> str | None:
        """The SHA-256 (hex) of a partition's last sealed manifest, None if none is sealed."""
        return self._at(partition).head

    def next(self, partition: int) -> int:
        """The offset after a partition's last sealed manifest, 0 if none is sealed."""
        return self._at(partition).next

    def take(
        self, partition: int, offset: int, value: bytes | None, signature: str, beside: Container[str] = ()
    ) -> tuple[bool, list[ChainFinding]]:
        """Checks the next manifest. The result: whether to seal it, and the findings to report.

        A manifest to seal becomes the new head. `signature`: the header `gate-sig`, '' without one. `beside`: hashes of
        manifests that are not on the branch that counts. A break in a partition is reported once, not again for each
        later manifest.
        """
        at = self._at(partition)
        manifest, finding = self._signed(partition, offset, value, signature)
        if manifest is None or value is None:
            return False, [finding] if finding else []
        hash_ = sha256(value).hexdigest()
        if hash_ in beside:
            self._ends.forks[partition].add(hash_)
            return False, [ChainFinding("forked_manifest", partition, offset, {"kid": told_kid(manifest.kid)})]
        chain = ManifestChain(at.head, at.taken)
        step = chain.step(orjson.loads(value), hash_)
        if finding := _discontinued(step, at, partition, offset):
            self._aside[partition, manifest.prev or ""] = offset
            if finding.fault not in ("broken_chain", "skipped_offset"):
                return False, [finding]
            findings = [] if partition in self._broken else [finding]
            self._broken.add(partition)
            return False, findings
        self._broken.discard(partition)
        self._ends.forks[partition].discard(hash_)
        self._sealed[partition] = SealPosition(next=offset + 1, head=hash_, taken=chain.taken)
        findings = [ChainFinding(step.link, partition, offset)] if step.link else []
        if (before := self._aside.get((partition, hash_))) is not None:
            findings.append(ChainFinding("reordered_manifest", partition, before, {"predecessor": offset}))
        return True, findings

    def foreign(
        self, partition: int, offset: int, value: bytes | None, signature: str, beside: Container[str] = ()
    ) -> ChainFinding | None:
        """The finding if the next manifest is no worker's; None for a worker's own, even after a gap.

        Takes it as `take` does. Anyone with write access can add records to the topic, and reading must go on. Without
        any key, signatures cannot be checked. Then only records that are no manifest of their partition are foreign.
        """
        _, findings = self.take(partition, offset, value, signature, beside)
        foreign = NO_MANIFEST | FOREIGN if self._listed() else NO_MANIFEST
        return next((finding for finding in findings if finding.fault in foreign), None)

    def _at(self, partition: int) -> SealPosition:
        return self._sealed.setdefault(partition, UNSEALED)

    def _signed(
        self, partition: int, offset: int, value: bytes | None, signature: str
    ) -> tuple[Manifest | None, ChainFinding | None]:
        def wrong(fault: Fault, **values: Any) -> tuple[None, ChainFinding]:
            return None, ChainFinding(fault, partition, offset, values)

        if value is not None and len(value) > LEAF_BYTES:
            return wrong("unreadable_manifest", most=LEAF_BYTES)
        try:
            manifest: Manifest = decode("manifests", None, value)
        except Unreadable:
            return wrong("unreadable_manifest", most=LEAF_BYTES)
        if manifest.partition != partition:
            return wrong("moved_manifest", own=manifest.partition)
        if unsigned := not_signed(value or b"", signature, self._key(manifest.kid)):
            return wrong(unsigned, **({} if unsigned == "unsigned_manifest" else {"kid": told_kid(manifest.kid)}))
        return manifest, None

    def _key(self, kid: str) -> Vkey | None:
        if kid not in self._keys:  # the key may have been added since
            self._keys = {key.kid: key for key in self._listed()}
        return self._keys.get(kid)


def _discontinued(step: Step, at: SealPosition, partition: int, offset: int) -> ChainFinding | None:
    """The finding for which a manifest is not sealed. Offsets that a person skipped are accounted for.

    A fork takes inputs again, which says more than that it does not follow.
    """
    ranges = [] if step.link == "repeated_manifest" else step.ranges
    for faulty in sorted(ranges, key=lambda faulty: faulty.fault == "skipped_offset"):
        if faulty.fault != "skipped_offset" or step.joined:
            return ChainFinding(
                faulty.fault, partition, offset, {"topic": faulty.topic, "first": faulty.first, "to": faulty.to}
            )
    if step.link is None or step.joined:
        return None
    return ChainFinding(step.link, partition, offset, {"sealed": at.next - 1} if step.link == "broken_chain" else {})


def not_signed(value: bytes, signature: str, key: Vkey | None) -> Fault | None:
    """The result of `signature_fault` for a signature as in the header `gate-sig`."""
    try:
        raw = base64.b64decode(signature, validate=True)
    except ValueError:
        raw = b"\0"  # no key's
    return signature_fault(value, raw, key)


def told_kid(kid: str) -> str:
    """The key id of a manifest, or `?` if malformed, as a forger may have written anything.

    The id goes into logs, and into a report that is sealed for ever.
    """
    return kid if KEY_ID.fullmatch(kid) else "?"
