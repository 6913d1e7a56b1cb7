"""A send is clear only on a consent after every refusal: thousands of people in one store (rules 7.1, 8.1.41)."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import orjson

from gatekeeper.engine.sends import Judge
from gatekeeper.knowledge.store import FactStore
from gatekeeper.policy.packs import load
from schemas.record import Record
from tests.support import invented
from tests.support.facts import fact
from tests.support.will_oracle import Heard, agreed

PEOPLE = 3_000
AT = datetime.fromtimestamp(invented.T / 1000, UTC)
DAYS = ("2026-01-10", "2026-03-10", "2026-05-10", "2026-11-24")
TIMES = (*DAYS, *(f"{day}T12:00:00+09:00" for day in DAYS), "2026-11-24T10:03:00+09:00", "2026-12-24")
ARRIVALS = [datetime.fromisoformat(f"{day}T15:00:00+09:00") for day in (*DAYS, "2026-01-01")]


def spoken(draw: Random, person: str, number: int) -> invented.Event:
    """Returns a yes or a no of a person, of any scope."""
    said, pick = draw.choice(TIMES), draw.choice
    whose: dict[str, Any] = {"recipient_id": person}
    if draw.random() < 0.25:
        scope = pick(({}, {"controller": "C1"}, {"controller": "C2"}, {"purpose": "mkt"}, {"contact_point": "cp-2"}))
        whose |= {"suppression_id": f"X-{number}", "kind": pick(("objection", "external"))}
        return invented.suppression(received_at=said, scope=scope, **whose)
    whose |= {"record_id": f"R-{number}", "event_time": said, "recorded_at": pick((said, said, *TIMES))}
    whose |= {"event_type": pick((None, None, None, "implied")), "controller_id": pick(("C1", "C1", "C1", "C2"))}
    whose["contact_point_id"] = pick((None, None, None, "cp-1", "cp-2"))
    if draw.random() < 0.35:
        whose |= {"controller_id": pick(("C1", "C1", "C2", "*")), "purpose": pick(("mkt.dm", "service.points", None))}
        whose |= {"channels": pick((["postal"], ["email"], ["postal", "email"], "*", []))}
        return invented.consent(state=pick(("Withdrawn", "Refused")), notice_id=None, evidence_ref=None, **whose)
    return invented.consent(
        channels=pick((["postal"], ["postal"], ["email"])),
        method=pick(("paper", "web", "web", "import", "terminal")),
        expressed_by=pick(("subject", "subject", "subject", "agent", "family", "import")),
        evidence_ref=pick((None, "scan-1", "scan-1")),
        notice_id=pick(("OK", "OK", "CARD-V1")),
        **whose,
    )


def test_people_of_any_will_then_those_are_clear_whose_yes_came_after_every_no() -> None:
    draw, store = Random(18), invented.store()
    heard: dict[str, dict[bytes, Heard]] = defaultdict(dict)
    records = []
    for number in range(PEOPLE):
        person = f"P-{number}"
        records.append(_record(invented.source(recipient_id=person, contact_points=["cp-1", "cp-2"]), AT))
        for place in range(draw.choice((1, 2, 2, 3, 3, 4, 5))):
            event = spoken(draw, person, place)
            for at in draw.choices(ARRIVALS, k=draw.choice((1, 1, 2))):
                records.append(_record(event, at))
                key = orjson.dumps(event[1])
                first = heard[person].get(key)
                heard[person][key] = Heard(event[1], min(first.arrived, at) if first else at)
    draw.shuffle(records)
    for offset, record in enumerate(records):
        assert store.apply(replace(record, offset=offset)) is None
    clear = {person for person in heard if _verdict(store, person) == "clear"}
    assert clear == {person for person, events in heard.items() if agreed(events.values(), AT)}
    came_back = {person for person in clear if any(_is_no(one.value) for one in heard[person].values())}
    assert len(came_back) > 100, "too few of them ever said no"
    assert PEOPLE / 20 < len(clear) < PEOPLE / 2


def _record(event: invented.Event, at: datetime) -> Record:
    made = fact(event[0], 0, 0, None, orjson.dumps(event[1]))
    return replace(made, timestamp=_ms(at))


def _ms(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


JUDGE = Judge(load("jp-pmark"), 8, tokens=invented.TOKENS, judge_misplaced=True)


def _verdict(store: FactStore, person: str) -> str:
    value = orjson.dumps(invented.send(event_id=f"E-{person}", recipient_id=person))
    return JUDGE.judge(Record("mail.sends.v1", 0, 7, invented.T, None, value), store, invented.T).verdict


def _is_no(value: dict[str, Any]) -> bool:
    return "suppression_id" in value or value["state"] in ("Withdrawn", "Refused")
