"""Measures the cost of proof in the hot path: microseconds per record by part, and bytes of manifest per record.

python -m benchmarks.proof                500 records a transaction
python -m benchmarks.proof --records 50
"""

from __future__ import annotations

import argparse
import base64
import gc
import itertools
import secrets
import tempfile
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import orjson

from gatekeeper.audit.records.pseudonym import Subjects
from gatekeeper.audit.tlog import merkle
from gatekeeper.engine.judged import Judged
from gatekeeper.engine.manifest import Taken, manifest
from gatekeeper.engine.sends import Judge
from gatekeeper.ground.partitioner import partition_of
from gatekeeper.keys import Keys
from gatekeeper.ledger.entries import SALT_BYTES
from gatekeeper.ledger.state import LedgerState
from gatekeeper.policy.packs import load
from schemas.record import Record
from schemas.topics import FACT_TOPICS
from tests.support import invented

ROUNDS = 40
US, BYTES = 5.0, 2.0
"""Allowed cost of a record, on a machine where a signature takes SIGNATURE_US."""
SIGNATURE_US = 33.0


def best(work: Callable[[], object], count: int) -> float:
    """Microseconds per record in the best of many rounds, each over `count` records."""
    found = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return min(found) / count * 1e6


def sends(count: int) -> list[Record]:
    """Sends of one partition as a platform publishes them, each to another person."""
    delivery = {"name": "見本 花子", "postcode": "100-0000", "lines": ["東京都千代田区見本町1-2-3"]}
    found = []
    for number in itertools.islice((n for n in itertools.count() if partition_of(f"R{n:09}".encode(), 8) == 3), count):
        named = {"recipient_id": f"R{number:09}", "event_id": f"DM-2026-AUTUMN-R{number:09}"}
        value = orjson.dumps(invented.send(campaign_id="DM-2026-AUTUMN", delivery=delivery, **named))
        found.append(Record("mail.sends.v1", 3, 1_000_000 + number, invented.T, None, value))
    return found


def lengths(record: Record, audit: bytes) -> tuple[int, ...]:
    """Input lengths in bytes of all hashes for a record: three HMACs, a leaf and a node."""
    inner = (SALT_BYTES, len("R000000000"), len(record.value or b""))
    return *(64 + size for size in inner), *[64 + 32] * 3, 1 + len(audit), 1 + 2 * 32


def main() -> None:
    """Judges one transaction's records, repeats each part of the proof, and prints the times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=500)
    count = parser.parse_args().records
    subjects, state = Subjects({1: secrets.token_bytes(32)}, secrets.token_bytes), LedgerState()
    store = invented.store()
    records = sends(count)
    names = [orjson.loads(record.value or b"")["recipient_id"] for record in records]
    judged, packs = list[Judged](), load("jp-pmark")
    judge = Judge(packs, 8, subjects=subjects)
    for record in records:
        judged.append(judge.judge(record, store, invented.T, ledger=state))
        for entry in judged[-1].entries:
            state.put(entry)
    with tempfile.TemporaryDirectory() as folder:
        keys = Keys(Path(folder) / "keys")
        keys.make("worker", "mail.gatekeeper/worker")
        signer, audits = keys.signer("worker"), [one.audit for one in judged]
    known = [subjects.of(name, state)[0] for name in names]
    people = [(who, record.value) for who, record in zip(known, records, strict=True) if who]
    value = manifest(
        writer="worker-0",
        kid=signer.kid,
        partition=3,
        taken=[Taken("mail.sends.v1", 1_000_000, 1_000_000 + count, count)],
        judged=judged,
        dead_facts=0,
        as_of={name: [1_000_000] * (1 if name == "reference" else 8) for name in FACT_TOPICS},
        prev="0" * 64,
        policy=packs.at(invented.T),
        t0=invented.T,
        t1=invented.T,
    )
    signature = base64.b64encode(signer.sign(value))
    gc.disable()
    size = sum(len(record.value or b"") for record in records) / count
    parts = {
        "key of somebody known": best(lambda: [subjects.of(name, state) for name in names], count),
        f"subj, and in_mac over {size:.0f} bytes": best(lambda: [who.names(raw) for who, raw in people], count),
        f"leaf and tree, over {sum(map(len, audits)) / count:.0f} bytes": best(lambda: merkle.root(audits), count),
        "signature": best(lambda: base64.b64encode(signer.sign(value)), count),
    }
    for name, took in parts.items():
        print(f"{took:6.2f} µs  {name}")
    print(
        f"{sum(parts.values()):6.2f} µs  a record in all; {US} are allowed where a signature takes {SIGNATURE_US} µs,"
    )
    print(f"{parts['signature'] * count:6.2f} µs  as it takes here")
    hashed = [bytes(length) for record, audit in zip(records, audits, strict=True) for length in lengths(record, audit)]
    print(f"{best(lambda: [sha256(one).digest() for one in hashed], count):6.2f} µs  of it SHA-256 alone")
    anew = best(lambda: [subjects.of(name, LedgerState()) for name in names], count)
    print(f"{anew:6.2f} µs  subj and the salt's entry, once for somebody new")
    size = (len(value) + len(signature)) / count
    print(f"{size:6.2f} B   of manifest and signature a record, {count} in one; {BYTES} are allowed")


if __name__ == "__main__":
    main()
