"""A send takes at most 1.5 KB on the broker's disk, whatever is known of its person, and one record of the ledger."""

from __future__ import annotations

from collections import Counter
from hashlib import sha256

import orjson
import pytest

from gatekeeper.engine.judged import Judged
from gatekeeper.engine.sends import Judge
from gatekeeper.ground.partitioner import partition_of
from gatekeeper.ledger.state import LedgerState
from gatekeeper.policy.packs import load
from schemas.record import Record
from schemas.topics import TOPICS
from streams.client.producer import ProducerBatch
from tests.support import invented

JUDGE = Judge(load("jp-pmark"), 1, tokens=invented.TOKENS, subjects=invented.SUBJECTS)
SENDS = 40
"""Sends of one transaction: few, as larger batches shrink more."""
MOST = 1_500


def random(*seed: object) -> str:
    return sha256(repr(seed).encode()).hexdigest()[:12]


def person(number: int, facts: int) -> list[invented.Event]:
    """A person with a source and so many further facts, whose ids and times nobody else has."""
    owner, point = f"R{number:06}", f"cp-{number}"
    found = [invented.source(source_id=f"S-{random(number)}", recipient_id=owner, contact_points=(point,))]
    for n in range(facts - 1):
        day = f"20{12 + (number + 5 * n) % 14}-{1 + (7 * number + n) % 12:02}-{1 + (11 * number + 3 * n) % 28:02}"
        at, id_ = f"{day}T10:{number % 60:02}:{n:02}+09:00", random(number, n)
        consent = {"record_id": f"K-{id_}", "recipient_id": owner, "evidence_ref": f"scan-{id_[::-1]}"}
        found.append(invented.consent(**consent, event_time=at, recorded_at=at))
    return found


def judged(facts: int) -> list[Judged]:
    state, found = LedgerState(), []
    state.review = 0
    for number in range(SENDS):
        store = invented.store(*person(number, facts))
        owner, event = f"R{number:06}", f"E-{random('event', number)}"
        value = orjson.dumps(invented.send(recipient_id=owner, point=f"cp-{number}", event_id=event))
        assert partition_of(owner.encode(), 1) == 0
        one = JUDGE.judge(
            Record("mail.sends.v1", 0, number, invented.T, owner.encode(), value), store, invented.T, ledger=state
        )
        for entry in one.entries:
            state.put(entry)
        found.append(one)
    return found


@pytest.mark.parametrize(("facts", "verdict"), [(1, "confirm"), (11, "clear")])
def test_a_transaction_then_its_batches_take_little_and_the_ledger_one_record_a_send(facts: int, verdict: str) -> None:
    found, batches = judged(facts), dict[str, ProducerBatch]()
    assert Counter(one.verdict for one in found) == {verdict: SENDS}

    def add(topic: str, key: bytes | None, value: bytes | None, headers: tuple[tuple[str, bytes], ...] = ()) -> None:
        batch = batches.setdefault(topic, ProducerBatch(topic, 0, TOPICS[topic].compression))
        assert batch.append(key, value, headers)

    for one in found:
        for output in one.written:
            add(output.topic, output.key, output.value, tuple(output.headers))
        add("audit", one.did.encode(), one.audit)
        for entry in one.entries:
            add(entry.topic, entry.key, entry.value)
    assert batches["ledger"].records == SENDS
    assert batches["salts"].records == SENDS, "of each person once"
    sizes = {topic: len(batch.written(1, 0, 0)) for topic, batch in batches.items()}
    assert sum(sizes.values()) / SENDS <= MOST, sizes
