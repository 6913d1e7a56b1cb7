"""Admits manifests to the sealed log: only those signed by a known worker that continue their partition's chain."""

from __future__ import annotations

import base64
import binascii
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Literal

import orjson

from gatekeeper.audit.log.writer import LEAF_BYTES
from gatekeeper.audit.tlog.notes import Vkey
from gatekeeper.audit.tlog.ranges import adds_up
from schemas.audit import Count, Digest
from schemas.codec import Unreadable, decode
from schemas.manifests import Manifest
from schemas.values import Model

Kind = Literal[
    "unreadable", "too_long", "moved", "unsigned", "key_unknown", "forged", "miscounted",
    "repeated", "twice", "forked", "missing", "skipped", "reordered", "begins_late", "stray",
]  # fmt: skip
FOREIGN: frozenset[Kind] = frozenset(("unsigned", "key_unknown", "forged", "repeated", "twice", "forked"))
NO_MANIFEST: frozenset[Kind] = frozenset(("unreadable", "too_long", "moved"))
_KID = re.compile(r"[A-Za-z0-9._-]{1,200}(/[a-z]+)?\+[0-9a-f]{8}")


@dataclass(frozen=True, slots=True)
class ChainFinding:
    """A fault of one record of `topic`, with its place. `values` fill the sentence of its kind."""

    kind: Kind
    partition: int
    offset: int
    values: Mapping[str, Any] = field(default_factory=dict)
    topic: Literal["manifests", "audit"] = "manifests"

    @property
    def place(self) -> str:
        """The record's place as shown to people: `TOPIC/PARTITION/OFFSET`."""
        return f"{self.topic}/{self.partition}/{self.offset}"


class SealPosition(Model):
    """Progress of sealing in a partition: next offset on `manifests`, hash of the last value, next input offsets.

    The sealer's state file stores it in this form for the next start.
    """

    next: Count
    head: Digest | None
    taken: dict[str, Count]


_UNSEALED = SealPosition(next=0, head=None, taken={})


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

    def state(self) -> dict[int, SealPosition]:
        """The positions to continue from at the next start, by partition."""
        return dict(self._sealed)

    def ends(self, leaves: Iterable[bytes]) -> bool:
        """Tells whether each partition's position is that of its last manifest among these leaves of a log.

        All leaves are read, at about 5 µs each. No leaf holds the offset on `manifests`, which cannot be below the
        number of a partition's leaves.
        """
        counts: Counter[int] = Counter()
        heads: dict[int, str] = {}
        inputs: defaultdict[int, dict[str, int]] = defaultdict(dict)
        try:
            for leaf in leaves:
                said = orjson.loads(leaf)
                if said.get("kind") not in ("coverage", "fork"):
                    number = said["partition"]
                    counts[number] += 1
                    heads[number] = sha256(leaf).hexdigest()
                    moved = (*said["in"], *said.get("skipped", ()))
                    inputs[number] |= {taken["topic"]: taken["to"] for taken in moved}
        except (ValueError, LookupError, TypeError, AttributeError):
            return False
        for number in {*counts, *self._sealed}:
            mine, count = self._at(number), counts[number]
            if (mine.head, mine.taken, mine.next > 0) != (heads.get(number), inputs[number], count > 0):
                return False
            if mine.next < count:
                return False
        return True

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
        manifests that are not on the branch of the ledger's head. A break in a partition is reported once, not again
        for each later manifest.
        """
        at = self._at(partition)
        manifest, finding = self._signed(partition, offset, value, signature)
        if manifest is None or value is None:
            return False, [finding] if finding else []
        if sha256(value).hexdigest() in beside:
            return False, [ChainFinding("forked", partition, offset, {"kid": told_kid(manifest.kid)})]
        if finding := self._discontinued(at, offset, manifest, sha256(value).hexdigest()):
            self._aside[partition, manifest.prev or ""] = offset
            if finding.kind not in ("missing", "skipped"):
                return False, [finding]
            told = [] if partition in self._broken else [finding]
            self._broken.add(partition)
            return False, told
        late = at.head is None and manifest.prev is not None
        self._broken.discard(partition)
        head, inputs = sha256(value).hexdigest(), {taken.topic: taken.to for taken in manifest.in_}
        inputs |= {one.topic: one.to for one in manifest.skipped}
        self._sealed[partition] = SealPosition(next=offset + 1, head=head, taken=at.taken | inputs)
        found = [ChainFinding("begins_late", partition, offset)] if late else []
        if (before := self._aside.get((partition, head))) is not None:
            found.append(ChainFinding("reordered", partition, before, {"predecessor": offset}))
        return True, found

    def _at(self, partition: int) -> SealPosition:
        return self._sealed.setdefault(partition, _UNSEALED)

    def _signed(
        self, partition: int, offset: int, value: bytes | None, signature: str
    ) -> tuple[Manifest | None, ChainFinding | None]:
        def wrong(kind: Kind, **values: Any) -> tuple[None, ChainFinding]:
            return None, ChainFinding(kind, partition, offset, values)

        if value is not None and len(value) > LEAF_BYTES:
            return wrong("too_long", most=LEAF_BYTES)
        try:
            manifest: Manifest = decode("manifests", None, value)
        except Unreadable:
            return wrong("unreadable")
        if manifest.partition != partition:
            return wrong("moved", own=manifest.partition)
        if unsigned := not_signed(value or b"", signature, self._key(manifest.kid)):
            return wrong(unsigned, **({} if unsigned == "unsigned" else {"kid": told_kid(manifest.kid)}))
        return manifest, None

    def _key(self, kid: str) -> Vkey | None:
        if kid not in self._keys:  # the key may have been added since
            self._keys = {key.kid: key for key in self._listed()}
        return self._keys.get(kid)

    def _discontinued(self, at: SealPosition, offset: int, manifest: Manifest, hash_: str) -> ChainFinding | None:
        def wrong(kind: Kind, **values: Any) -> ChainFinding:
            return ChainFinding(kind, manifest.partition, offset, values)

        for taken in manifest.in_:
            where = {"topic": taken.topic, "first": taken.first, "to": taken.to}
            if not adds_up(taken.first, taken.to, taken.n, [(gap.first, gap.n) for gap in taken.gaps]):
                return wrong("miscounted", **where)
            if taken.first < at.taken.get(taken.topic, 0):
                return wrong("repeated", **where)
        if at.head is not None and manifest.prev != at.head:
            return wrong("twice") if hash_ == at.head else wrong("missing", sealed=at.next - 1)
        for taken in manifest.in_:
            if taken.first > (expected := at.taken.get(taken.topic, taken.first)):
                return wrong("skipped", topic=taken.topic, first=expected, to=taken.first)
        # offsets that a person skipped are accounted for; verify and coverage look for the act
        stands = at.taken | {taken.topic: taken.to for taken in manifest.in_}
        for one in manifest.skipped:
            if one.first != (expected := stands.get(one.topic, one.first)):
                return wrong("skipped", topic=one.topic, first=expected, to=one.first)
        return None


def not_signed(value: bytes, signature: str, key: Vkey | None) -> Kind | None:
    """The fault of a signature, None if the signature is valid.

    `signature`: as in the header `gate-sig`. `key`: the key named by the manifest, None if unknown.
    """
    if not signature:
        return "unsigned"
    if key is None:
        return "key_unknown"
    try:
        raw = base64.b64decode(signature, validate=True)
    except binascii.Error:
        raw = b""
    return None if key.verifies(raw, value) else "forged"


def told_kid(kid: str) -> str:
    """The key id of a manifest, or `?` if malformed, as a forger may have written anything.

    The id goes into logs, and into a report that is sealed for ever.
    """
    return kid if _KID.fullmatch(kid) else "?"


class Own:
    """Separates a system's own manifests from foreign records, with the fault of each foreign one.

    Anyone with write access can add records to the topic, and reading must go on. If no worker's key is known,
    signatures cannot be checked. Then only records that are no manifest of their partition are set aside.
    """

    def __init__(self, keys: Sequence[Vkey]) -> None:
        """`keys`: the public keys of the workers."""
        self._chain = Chain({}, keys=lambda: keys)
        self._foreign = NO_MANIFEST | FOREIGN if keys else NO_MANIFEST

    def foreign(
        self, partition: int, offset: int, value: bytes | None, signature: str, beside: Container[str] = ()
    ) -> ChainFinding | None:
        """The finding if the next manifest of a partition is foreign; None for an own one, even after a gap.

        `beside`: as `Chain.take` takes it.
        """
        _, findings = self._chain.take(partition, offset, value, signature, beside)
        return next((finding for finding in findings if finding.kind in self._foreign), None)
