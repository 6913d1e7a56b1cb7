"""The manifest of a transaction: its inputs and outputs, chained to the partition's previous manifest (audit.md §2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gatekeeper.audit.tlog import merkle
from gatekeeper.engine.judged import Judged
from gatekeeper.ground.times import instant
from gatekeeper.policy.policy import Policy
from schemas.audit import Mode
from schemas.codec import canonical
from schemas.manifests import Skipped

PUT_OUT = {
    "cleared": "cleared",
    "review": "review",
    "confirmations": "confirm",
    "recalls": "recall",
    "deadletter": "dead",
    "results": "result",
}
"""Name of the count for each output topic; an absent count is zero."""


class Taken(NamedTuple):
    """Offsets that a transaction took of one topic: `n` records from `start` up to `to`.

    Each of `gaps` is a first offset and a length. `era`: as in the manifest.
    """

    topic: str
    start: int
    to: int
    n: int
    gaps: Sequence[tuple[int, int]] = ()
    era: int = 0


def manifest(
    *,
    writer: str,
    kid: str,
    partition: int,
    taken: Sequence[Taken],
    judged: Sequence[Judged],
    dead_facts: int,
    as_of: Mapping[str, Sequence[int]],
    prev: str | None,
    policy: Policy,
    t0: int,
    t1: int,
    mode: Mode = "live",
    skipped: Sequence[Skipped] = (),
) -> bytes:
    """The canonical bytes of `schemas.manifests.Manifest`, which the key `kid` signs.

    `judged`: the results of all records taken, in order. `dead_facts`: the number of further dead letters, of facts.
    `as_of`: the next offset applied when judging, by fact topic and partition. `prev`: SHA-256 in hex of the previous
    manifest's value, None for the first. `t0`, `t1`: milliseconds since the epoch. `skipped`: the records that a person
    let pass undecided after the records taken. Without any the field is absent.
    """
    out = Counter(PUT_OUT[output.topic] for result in judged for output in result.written)
    out["dead"] += dead_facts
    misplaced = sum(result.misplaced for result in judged)
    return canonical(
        {
            "v": 1,
            "writer": writer,
            "kid": kid,
            "partition": partition,
            "in": [
                {
                    "topic": span.topic,
                    "from": span.start,
                    "to": span.to,
                    "n": span.n,
                    "gaps": [{"first": first, "n": n} for first, n in span.gaps],
                    **({"era": span.era} if span.era else {}),
                }
                for span in taken
            ],
            "asof": {name: list(positions) for name, positions in as_of.items()},
            "out": {**+out, "result": out["result"]},  # 0 is told, too: manifests before the topic lack it
            "audit": {"from_id": judged[0].did if judged else None, "n": len(judged)},
            "verdicts": Counter(result.verdict for result in judged if result.verdict),
            **({"misplaced": misplaced} if misplaced else {}),
            "root": merkle.root([result.audit for result in judged]).hex(),
            "prev": prev,
            "policy": policy.ref,
            "t0": instant(t0),
            "t1": instant(t1),
            **({"mode": mode} if mode != "live" else {}),
            **({"skipped": [skip.model_dump(by_alias=True) for skip in skipped]} if skipped else {}),
        }
    )
