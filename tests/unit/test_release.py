"""A reviewer's release is refused, or takes a second person, as the domain says (rule 6.8)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest

from gatekeeper.deciding.facts import HeldRelease
from gatekeeper.deciding.release import refusal, two_persons
from gatekeeper.identity import printed
from gatekeeper.policy.packs import load
from gatekeeper.policy.policy import read
from gatekeeper.policy.reasons import Found
from schemas.events import Send
from tests.support import invented, policies
from tests.support.facts import fact
from tests.support.invented import decide

BARE = {"evidence_ref": None}
EXPIRED, COUNTRY = "RELEASE_EXPIRED", "JURISDICTION_UNKNOWN"
AGE, CONFLICT, MISSING, PENDING = "AGE_UNCERTAIN", "SOURCE_CONFLICT", "CONSENT_MISSING", "CONFIRMATION_PENDING"


@pytest.mark.parametrize(
    ("found", "release", "refused"),
    [
        ([AGE, PENDING], {"reasons": [AGE]}, "hard"),
        ([AGE, MISSING], {"reasons": [AGE, MISSING]}, "not_releasable"),
        ([AGE], {"reasons": [AGE, CONFLICT], "by": ["hanako", "taro"]}, "surplus"),
        ([AGE, EXPIRED], {"reasons": [EXPIRED], **BARE}, None),
        ([COUNTRY], {"reasons": [COUNTRY], **BARE}, "evidence"),
    ],
)
def test_release_then_is_refused_for(found: list[str], release: dict[str, Any], refused: str | None) -> None:
    act = HeldRelease.model_validate_json(orjson.dumps(invented.act(**release)[1]))
    assert refusal(act, [Found(code) for code in found]) == refused


@pytest.mark.parametrize(
    ("limit", "reasons", "bulk", "two"),
    [
        (100, [AGE], 100, []),
        (100, [AGE, MISSING], 101, [AGE, MISSING]),
        (100, [AGE], None, [AGE]),
        (None, [AGE], 1_000_000, []),
        (100, [AGE, CONFLICT], 1, [CONFLICT]),
    ],
)
def test_bulk_and_reasons_then_what_takes_a_second_person(
    limit: int | None, reasons: list[str], bulk: int | None, two: list[str]
) -> None:
    line = "" if limit is None else f"four_eyes_bulk = {limit}"
    policy = read(policies.text(7, ("four_eyes_bulk = 100", line)).encode(), file="ours.toml")
    act = HeldRelease.model_validate_json(orjson.dumps(invented.act(reasons=reasons, bulk=bulk)[1]))
    assert two_persons(act, policy) == frozenset(two)


@pytest.mark.parametrize(
    ("arrived", "verdict"), [(invented.T - 3_600_000, "review"), (invented.T - 40 * 3_600_000, "clear")]
)
@pytest.mark.parametrize("looked", ["release", "resolved"])
def test_a_weak_stop_dated_before_a_look_then_only_one_that_had_arrived_is_gone(
    looked: str, arrived: int, verdict: str
) -> None:
    """A form of the day before, typed after the release: nobody has looked at it."""
    seen = {
        "release": invented.act(reasons=["NAME_NEAR_STOP"], had=["NAME_NEAR_STOP"]),
        "resolved": invented.event(kind="identity_resolved", at="2026-11-23T10:00:00+09:00", of=["X-1"]),
    }[looked]
    store = invented.store(invented.source(), invented.consent(), seen)
    _, stop = invented.suppression(token="cp-9", received_at="2026-11-22T09:00:00+09:00")
    late = replace(fact("suppressions", 0, 99, None, orjson.dumps(stop)), timestamp=arrived)
    assert store.apply(late) is None
    send = Send.model_validate_json(orjson.dumps(invented.send(match=[{"token": "cp-9", "score": 899}])))
    view = store.view(send, printed(invented.TOKENS, send), **invented.NOW)
    assert decide(send, view, store.reference, load("jp-pmark"), invented.T).verdict == verdict
