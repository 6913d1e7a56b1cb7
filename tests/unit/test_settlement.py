"""The last transaction of a partition: found whole, or found to be there in part and settled from what is left."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from hashlib import sha256

import orjson

from gatekeeper.audit.tlog.notes import Vkey, parse_vkey
from gatekeeper.engine.settlement import settled
from gatekeeper.engine.tail import Tail, said, written
from gatekeeper.ledger.head import Head
from schemas.record import Record
from tests.support.trails import Step, Trail

TRAIL = Trail(partitions=1, seed=7, acting=0.5).write(12)
KEYS: Sequence[Vkey] = [parse_vkey(TRAIL.worker.verifier)]
STEPS = TRAIL.steps
PLACES = (2, 5, len(STEPS) - 1)


def head(steps: Sequence[Step]) -> Head:
    """Returns the head that the ledger has after these steps."""
    found = Head(sends=0, acts=10)
    for step in steps:
        ends = {one["topic"]: one["to"] for one in orjson.loads(step.value)["in"]}
        acts = ends.get("mail.acts.v1", found.acts)
        found = Head(sends=ends["mail.sends.v1"], acts=acts, prev=sha256(step.value).hexdigest(), at=1)
    return found


def manifests(steps: Sequence[Step]) -> list[Record]:
    return [
        Record("manifests", 0, step.offset, 0, b"worker-0", step.value, [("gate-sig", base64.b64encode(step.sig))])
        for step in steps
    ]


def audit(steps: Sequence[Step]) -> list[Record]:
    values = [value for step in steps for value in step.records]
    return [Record("audit", 0, place, 0, did(value).encode(), value) for place, value in enumerate(values)]


def did(value: bytes) -> str:
    return str(orjson.loads(value)["did"])


def test_records_without_manifest_then_the_next_manifest_takes_them_in() -> None:
    for place in PLACES:
        before, torn = STEPS[:place], STEPS[place]
        at, records = head(before), said(audit([*before, torn]), partition=0)
        ours = written(manifests(before), records, partition=0, keys=KEYS, head=at)
        found = settled(at, Tail(ours, records, cut=False, all_manifests=True))
        assert found is not None
        after, taken = head([*before, torn]), orjson.loads(torn.value)["in"]
        assert found.head.prev == at.prev
        assert (found.head.sends, found.head.acts) == (after.sends, after.acts)
        assert [one.value for one in found.records] == [one.value for one in found.again] == list(torn.records)
        took = [{"topic": one.topic, "from": one.start, "to": one.to, "n": one.n} for one in found.took]
        assert took == [{name: one[name] for name in ("topic", "from", "to", "n")} for one in taken]
