"""Signed manifests made by hand: a partition's chain as a worker writes it, and as others would like to."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from gatekeeper.engine.manifest import Taken
from gatekeeper.ground.signing_key import SigningKey
from schemas.codec import canonical

SENDS = "mail.sends.v1"


def manifest(kid: str, *, partition: int = 0, prev: str | None = None, taken: Sequence[Taken] = ()) -> bytes:
    """Returns a manifest's bytes; what tests do not look at is filled in."""
    return canonical(
        {
            "v": 1,
            "writer": "worker-0",
            "kid": kid,
            "partition": partition,
            "in": [
                {
                    "topic": one.topic,
                    "from": one.start,
                    "to": one.to,
                    "n": one.n,
                    "gaps": [{"first": first, "n": n} for first, n in one.gaps],
                }
                for one in taken
            ],
            "asof": {"consents": [7]},
            "out": {},
            "audit": {"from_id": None, "n": 0},
            "verdicts": {},
            "root": sha256().hexdigest(),
            "prev": prev,
            "policy": {"id": "jp-pmark", "version": 1, "sha256": "0" * 64},
            "t0": "2026-11-24T09:00:00.000Z",
            "t1": "2026-11-24T09:00:00.100Z",
        }
    )


def manifest_signature(signer: SigningKey, value: bytes) -> str:
    """Returns the header `gate-sig` of a manifest."""
    return base64.b64encode(signer.sign(value)).decode()


class Writer:
    """A worker's partition: each manifest takes the next `n` sends and continues the one before."""

    def __init__(self, signer: SigningKey, partition: int = 0) -> None:
        self.signer, self.partition = signer, partition
        self.prev: str | None = None
        self.at = 0

    def next(self, n: int = 2, **other: Any) -> tuple[bytes, str]:
        """Returns value and signature; `other` replaces what manifest() is given."""
        taken = [Taken(SENDS, self.at, self.at + n, n)] if n else []
        value = manifest(self.signer.kid, **{"partition": self.partition, "prev": self.prev, "taken": taken, **other})
        self.prev, self.at = sha256(value).hexdigest(), self.at + n
        return value, manifest_signature(self.signer, value)
