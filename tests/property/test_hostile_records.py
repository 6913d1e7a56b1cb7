"""Any record on any input topic, with headers that pass the cheap checks: one answer each, and the next one is taken.

CI tries 1,000 records; `scripts/test tests/property/test_hostile_records.py --hypothesis-profile=many` tries 100,000.
"""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.hostile import Attacker, Gate

RECORDS = 100 if settings.default.max_examples >= 1_000 else 50  # type: ignore[union-attr]


@given(st.integers(0, 2**64))
def test_hostile_records_of_every_kind_then_each_has_one_answer_and_the_gate_goes_on(seed: int) -> None:
    gate, attacker = Gate(), Attacker(Random(seed))
    for offset in range(1_000, 1_000 + RECORDS):
        record = attacker.record(gate, offset)
        assert gate.take(record) == 1, record
    gate.holds()
