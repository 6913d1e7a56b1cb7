"""Golden cases through the running worker: each is a person of its own, and all of them are one world."""

from __future__ import annotations

import asyncio
import time
from itertools import chain
from typing import Any

import orjson
import pytest

from gatekeeper.deciding.decide import Decision
from gatekeeper.identity import printed
from gatekeeper.knowledge.store import FactStore
from gatekeeper.knowledge.unreadable import understood
from gatekeeper.policy.packs import load
from schemas.codec import decode
from schemas.topics import subject_key
from tests.support import invented as invented
from tests.support.facts import fact
from tests.support.golden_cases import CASES, events
from tests.support.invented import decide
from tests.support.world import World, eventually

pytestmark = pytest.mark.main

NOT_ON_TOPICS = {
    *("acts", "asks", "as_of", "at", "checkpoint", "clearances", "policy", "unavailable"),
    *("reference", "suspended_since"),  # would be everybody's
}


def own(name: str, value: dict[str, Any]) -> dict[str, Any]:
    """Returns an event of a case as one of a person that no other case has."""
    text = orjson.dumps(value).decode().replace('"P-1"', f'"P-{name}"').replace('"E-1"', f'"{name}"')
    # what arrives today was entered long ago
    return {**({"recorded_at": value["received_at"]} if "suppression_id" in value else {}), **orjson.loads(text)}


def by_now(store: FactStore, send: dict[str, Any]) -> Decision:
    read = decode("sends", None, orjson.dumps(send))
    now = int(time.time() * 1000)
    facts = store.view(read, printed(invented.TOKENS, read), at=now, zone="Asia/Tokyo")
    return decide(read, facts, store.reference, load("jp-pmark"), now)


def of_one_person(case: dict[str, Any]) -> bool:
    """Returns whether nothing of the case bears on others, or comes otherwise than by its topic."""
    signed = any("state" in stop for stop in case.get("suppressions", ())) or any(
        event["kind"] in ("identity_resolved", "request_received") for event in case.get("events", ())
    )  # by people, within minutes of its date
    said = orjson.dumps(case, default=str)
    shares_an_address = any(word in said for word in (b'"P-2"', b'"written"', b'"token"', b'"delivery"'))
    return not shares_an_address and not signed and NOT_ON_TOPICS.isdisjoint(case)


def as_the_table(case: dict[str, Any], decision: Decision) -> bool:
    return (decision.verdict, list(decision.codes)) == (case["verdict"], case.get("reasons", []))


@pytest.mark.main
def test_golden_cases_published_then_the_worker_writes_what_the_table_says(kafka, prefix):
    cases = {name: case for name, case in CASES.items() if of_one_person(case)}
    facts, sends = {}, {}
    for name, case in cases.items():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(invented, "home", lambda point, recipient_id="P-1", name=name: f"{name}.{point}")
            facts[name] = [(topic, own(name, value)) for topic, value in events(case)[1]]
            sends[name] = own(name, invented.send(**case.get("send", {})))
    store = invented.store(*chain(*facts.values()))
    # today's date may decide some otherwise
    told = {name for name, case in cases.items() if as_the_table(case, by_now(store, sends[name]))}
    assert {cases[name]["verdict"] for name in told} == {"clear", "confirm", "review", "block"}
    assert len({code for name in told for code in cases[name].get("reasons", ())}) >= 30
    assert len(told) >= 100

    world = World(kafka.bootstrap, prefix).create()
    for topic in ("reference", "sources", "consents", "suppressions"):
        told_on = [value for to, value in (*invented.REFERENCE, *chain(*facts.values())) if to == topic]
        read = [understood(fact(topic, 0, 0, None, orjson.dumps(value)))[0].model for value in told_on]
        world.put(topic, [(subject_key(topic, model), value) for model, value in zip(read, told_on, strict=True)])
    world.put("sends", [(send["recipient_id"], send) for send in sends.values()])

    async def judge() -> None:
        async with world.worker():
            await eventually(lambda: world.decided() == len(sends), "all sends")

    asyncio.run(judge())
    world.check(len(sends))
    written = {audit.send["event_id"]: audit for audit in world.audits() if audit.send}
    for name in told:
        case, audit = cases[name], written[name]
        assert audit.verdict == case["verdict"], name
        assert [reason.code for reason in audit.reasons] == case.get("reasons", []), name
        assert list(audit.notes) == case.get("notes", []), name
        assert set(case.get("obligations", ())) <= set(audit.obligations), name
