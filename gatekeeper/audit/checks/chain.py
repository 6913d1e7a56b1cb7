"""What may be sealed: a manifest that a known worker signed and that continues its partition, and nothing else."""

from __future__ import annotations

import base64
import binascii
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Literal

import orjson

from gatekeeper.audit.log.writer import LEAF_BYTES
from gatekeeper.audit.tlog.notes import Vkey
from gatekeeper.audit.tlog.ranges import adds_up
from schemas.audit import Count, Digest, Manifest
from schemas.codec import Unreadable, decode
from schemas.values import Model

Kind = Literal[
    "unreadable", "too_long", "moved", "unsigned", "key_unknown", "forged", "miscounted",
    "repeated", "twice", "missing", "skipped", "reordered", "begins_late", "stray",
]  # fmt: skip
FOREIGN: frozenset[Kind] = frozenset(("unsigned", "key_unknown", "forged", "repeated", "twice"))
NO_MANIFEST: frozenset[Kind] = frozenset(("unreadable", "too_long", "moved"))
_KID = re.compile(r"[A-Za-z0-9._-]{1,200}(/[a-z]+)?\+[0-9a-f]{8}")


@dataclass(frozen=True, slots=True)
class ChainFinding:
    """What is wrong with a record of `topic`, by where it stands there; `values` fill the sentence of its kind."""

    kind: Kind
    partition: int
    offset: int
    values: Mapping[str, Any] = field(default_factory=dict)
    topic: Literal["manifests", "audit"] = "manifests"

    @property
    def place(self) -> str:
        """Where it stands, as people are told: `TOPIC/PARTITION/OFFSET`."""
        return f"{self.topic}/{self.partition}/{self.offset}"


class SealPosition(Model):
    """How far a partition is sealed: the next offset on `manifests`, the last value's hash, the inputs taken.

    The sealer's state file holds it as it is here, for the next start.
    """

    next: Count
    head: Digest | None
    taken: dict[str, Count]


_UNSEALED = SealPosition(next=0, head=None, taken={})


class Chain:
    """The partitions of `manifests` as far as they are sealed.

    What cannot be sealed is left aside and the head stays: a record that others slipped in does no harm to what
    follows, and after one that is missing nothing of its partition is sealed any more. There never is a fork.
    """

    def __init__(self, state: Mapping[int, SealPosition], *, keys: Callable[[], Sequence[Vkey]]) -> None:
        """Takes up what `state` returned. `keys`: the workers' public keys as they are when one is looked for."""
        self._listed = keys
        self._keys: dict[str, Vkey] = {}
        self._sealed = dict(state)
        self._aside: dict[tuple[int, str], int] = {}  # by partition and the predecessor that it names: its offset
        self._broken: set[int] = set()

    def state(self) -> dict[int, SealPosition]:
        """Returns what the next start needs, by partition."""
        return dict(self._sealed)

    def ends(self, leaves: Iterable[bytes]) -> bool:
        """Tells whether it stands where these leaves of a log end: at each partition's last manifest, and no other.

        It reads them all, at about 5 µs a leaf. The offset on `manifests` is in none: it cannot be below their number.
        """
        counts: Counter[int] = Counter()
        heads: dict[int, str] = {}
        inputs: defaultdict[int, dict[str, int]] = defaultdict(dict)
        try:
            for leaf in leaves:
                said = orjson.loads(leaf)
                if said.get("kind") != "coverage":
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

    def next(self, partition: int) -> int:
        """The offset behind the last manifest of a partition that is sealed, 0 where none is."""
        return self._at(partition).next

    def take(self, partition: int, offset: int, value: bytes | None, signature: str) -> tuple[bool, list[ChainFinding]]:
        """Whether this manifest may be sealed, in which case it is the new head, and what is to be told.

        `signature`: the header `gate-sig`, '' without one. What breaks a partition is told once, not for each
        manifest behind it.
        """
        at = self._at(partition)
        manifest, finding = self._signed(partition, offset, value, signature)
        if manifest is None or value is None:
            return False, [finding] if finding else []
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
        if kid not in self._keys:  # it may be one that was added since
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
        # what a person let go undecided is accounted for; whether an act says so, is for verify and coverage
        stands = at.taken | {taken.topic: taken.to for taken in manifest.in_}
        for one in manifest.skipped:
            if one.first != (expected := stands.get(one.topic, one.first)):
                return wrong("skipped", topic=one.topic, first=expected, to=one.first)
        return None


def not_signed(value: bytes, signature: str, key: Vkey | None) -> Kind | None:
    """Returns what is wrong with a signature as the header `gate-sig` has it; `key`: that it names, None = not known.

    None where nothing is.
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
    """Returns what a manifest calls its key by, `?` for what is shaped otherwise: a forger may have put anything there.

    What is told of it stands in logs, and in a report that is sealed for ever.
    """
    return kid if _KID.fullmatch(kid) else "?"


class Own:
    """Tells a system's own manifests from what others put among them, and what is wrong with those.

    Whoever may write to the topic can put something there, and reading must go on. Where no worker's key is known,
    nobody can tell by signatures, and only what is no manifest of its partition is left aside.
    """

    def __init__(self, keys: Sequence[Vkey]) -> None:
        """`keys`: the public keys of the workers."""
        self._chain = Chain({}, keys=lambda: keys)
        self._foreign = NO_MANIFEST | FOREIGN if keys else NO_MANIFEST

    def foreign(self, partition: int, offset: int, value: bytes | None, signature: str) -> ChainFinding | None:
        """Why the next manifest of a partition is not the system's own; None where it is, gaps or not."""
        _, findings = self._chain.take(partition, offset, value, signature)
        return next((finding for finding in findings if finding.kind in self._foreign), None)
