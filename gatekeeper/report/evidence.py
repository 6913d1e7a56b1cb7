"""Evidence for a report: the chain of manifests of each partition, the seal, and proofs of sampled decisions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from heapq import heappush, heapreplace
from typing import Any
from unicodedata import normalize

import orjson

from gatekeeper.audit.checks.trail import Link
from gatekeeper.audit.explanation.citations import Citations
from gatekeeper.audit.explanation.wording import told_reason
from gatekeeper.audit.export.proof import of_record
from gatekeeper.audit.log.sealed import Sealed
from gatekeeper.audit.records import inquiry
from gatekeeper.audit.tlog import merkle
from gatekeeper.audit.tlog.manifest_chain import ManifestChain
from gatekeeper.audit.tlog.notes import Vkey
from gatekeeper.audit.verify import sentences
from gatekeeper.audit.verify.proof_check import check_content
from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.times import instant
from gatekeeper.report.period import Period
from gatekeeper.review.data_origin import origin, route
from schemas.topics import logical_name

SAMPLES, MOST_SAMPLES = 5, 100
"""Decisions that are drawn unless another number is asked for, and the most that can be."""
SEED_LETTERS = 64
"""Longest seed of a draw."""


@dataclass(frozen=True, slots=True)
class Draw:
    """A way to draw decisions. `size`: their number. `seed`: any words of the drawer, '' for none.

    Seeds that print alike are one: it is kept without outer spaces, with single inner ones, in NFC.
    Raises UsageError (2) for another size than 1 to MOST_SAMPLES, or a seed that cannot be printed on one line.
    """

    size: int = SAMPLES
    seed: str = ""

    def __post_init__(self) -> None:
        if not 1 <= self.size <= MOST_SAMPLES:
            raise UsageError("error.sample_size", most=MOST_SAMPLES)
        lines = len(self.seed.strip().splitlines())
        object.__setattr__(self, "seed", normalize("NFC", " ".join(self.seed.split())))
        if lines > 1 or len(self.seed) > SEED_LETTERS or not self.seed.isprintable():
            raise UsageError("error.sample_seed", most=SEED_LETTERS)


@dataclass(frozen=True, slots=True)
class ProvingLog:
    """The transparency log that proves decisions, and the public keys to check it with.

    `keys`: those of workers and logs. `published`: when its checkpoint was written, in milliseconds; None = not known.
    """

    log: Sealed | None
    keys: Sequence[str] = ()
    witnesses: Sequence[Vkey] = ()
    published: int | None = None

    @property
    def witnessed(self) -> int | None:
        """The time of a witness's cosignature, in milliseconds; None without one."""
        cosigned = self.log.cosigned_at(self.witnesses) if self.log else None
        return None if cosigned is None else cosigned * 1000

    def told(self, now: int) -> dict[str, Any] | None:
        """The report's section `seal`; None without a log. `now`: in milliseconds."""
        if self.log is None:
            return None
        witnessed = self.witnessed
        return {
            "origin": self.log.checkpoint.origin,
            "size": self.log.checkpoint.size,
            "root": self.log.checkpoint.root.hex(),
            "published": None if self.published is None else instant(self.published),
            "witnessed": None if witnessed is None else instant(witnessed),
            "witness_age_ms": None if witnessed is None else max(0, now - witnessed),
        }


@dataclass(slots=True)
class _Chain:
    """The counts of one partition, and the end of its manifests' chain."""

    partition: int
    manifests: int = 0
    records: int = 0
    sends: int = 0
    sealed: int = 0
    breaks: int = 0
    torn: int = 0
    end: ManifestChain = field(default_factory=lambda: ManifestChain(name=logical_name))


class Chains:
    """The manifest chains of all partitions in a period, taken in order.

    `sealed` tells whether a manifest is in the log.
    """

    def __init__(self, sealed: Callable[[Link], bool]) -> None:
        self._sealed = sealed
        self._chains: dict[int, _Chain] = {}

    def take(self, link: Link, manifest: Mapping[str, Any]) -> None:
        """Adds a manifest with its records."""
        chain = self._chains.setdefault(link.partition, _Chain(link.partition))
        step = chain.end.step(manifest, sha256(link.value).hexdigest())
        chain.sends += sum(taken["n"] for taken in manifest["in"] if logical_name(taken["topic"]) == "sends")
        chain.breaks += not step.joined or bool(step.ranges)
        chain.torn += merkle.root(link.records).hex() != manifest["root"]
        chain.manifests += 1
        chain.records += len(link.records)
        chain.sealed += self._sealed(link)

    def told(self) -> list[dict[str, int]]:
        """The report's section `coverage`: one row for each partition."""
        names = ("partition", "manifests", "records", "sends", "sealed", "breaks", "torn")
        return [{name: getattr(chain, name) for name in names} for _, chain in sorted(self._chains.items())]


class Samples:
    """Sampled decisions: those whose ids hash lowest with the period.

    Everybody who repeats the draw gets the same decisions.
    """

    def __init__(self, period: Period, citations: Citations, draw: Draw) -> None:
        self._citations, self._size = citations, draw.size
        form, seed = ("2", f"{draw.seed}\0") if draw.seed else ("1", "")
        self._seed = f"gate/sample/{form}\0{period.since}\0{period.to}\0{seed}".encode()
        self._drawn: list[tuple[int, int, int, Link]] = []
        self._seen = 0

    def take(self, did: str, place: int, link: Link) -> None:
        """Adds a decision to the draw; `place` is the index of its record in the manifest."""
        lot = -int.from_bytes(sha256(self._seed + did.encode()).digest())
        self._seen += 1
        drawn = (lot, -self._seen, place, link)  # `_seen` keeps duplicated records apart
        if len(self._drawn) < self._size:
            heappush(self._drawn, drawn)
        elif drawn > self._drawn[0]:
            heapreplace(self._drawn, drawn)

    def told(self, seal: ProvingLog) -> list[dict[str, Any]]:
        """The samples with their reasons and proofs.

        Each proof is already checked and in the form that `gatekeeper audit check` reads.
        """
        return [_sample(link, place, seal, self._citations) for *_, place, link in sorted(self._drawn, reverse=True)]


def _sample(link: Link, place: int, seal: ProvingLog, citations: Citations) -> dict[str, Any]:
    record = orjson.loads(link.records[place])
    written, did = of_record(link, place, seal.log, seal.keys), record["did"]
    proof = orjson.loads(written)
    return {
        "did": did,
        "inquiry": inquiry.make(did),
        "at": record["at"],
        "campaign": record["campaign"],
        "channel": record["channel"],
        "route": route(record),
        "origin": origin(record),
        "verdict": record["verdict"],
        "reasons": [told_reason(reason, record, citations) for reason in record["reasons"]],
        "manifest": link.place,
        "leaf": proof["log"]["index"] if proof["log"] else None,
        "state": _state(written, seal),
        "proof": proof,
    }


def _state(proof: bytes, seal: ProvingLog) -> str:
    """The strongest level that a proof reaches: `witnessed`, `sealed` or `signed` (by the worker).

    `wrong`: the proof does not verify. `unchecked`: a public key is missing.
    """
    match check_content(proof, "proof").exit_code:
        case sentences.CHANGED:
            return "wrong"
        case sentences.UNVERIFIABLE:
            return "unchecked"
        case sentences.INCOMPLETE:
            return "signed"
    return "witnessed" if seal.witnessed is not None else "sealed"
