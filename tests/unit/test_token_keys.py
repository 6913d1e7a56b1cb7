"""Several token keys: what hangs on each, and what cannot be compared (domain rule 7.4.17)."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from itertools import permutations
from typing import Any

import orjson
import pytest

from gatekeeper.engine.evaluation import Moment
from gatekeeper.engine.evaluator import Evaluator
from gatekeeper.identity import Tokens, printed
from gatekeeper.knowledge.store import FactStore
from gatekeeper.knowledge.token_keys import HEADER, named_by
from gatekeeper.ledger import entries
from gatekeeper.ledger.state import LedgerState
from gatekeeper.policy.packs import load
from schemas.codec import parsed
from schemas.events import Send
from streams.worker.app import create_app
from tests.support import invented
from tests.support.world import World

BOTH = invented.gate(1, 2)


def stop(point: str, key: int, id_: str = "X-1") -> invented.Event:
    return invented.suppression(token=point, key=key, suppression_id=id_)


def source(point: str, key: int, id_: str = "S-1", **more: Any) -> invented.Event:
    return invented.source(source_id=id_, contact_points=[{"id": point, "key": key}], **more)


def judged(store: FactStore, state: LedgerState, tokens: Tokens) -> Moment:
    return Moment(Evaluator(load("jp-pmark"), tokens=tokens), store, state, invented.T)


def test_a_piece_cleared_before_a_key_was_there_then_a_stop_under_it_holds_it_back() -> None:
    facts = (source("cp-1", 1), invented.consent())
    state, sent = LedgerState(), parsed(Send.model_validate_json(json.dumps(invented.send())))
    cleared = judged(invented.store(*facts), state, invented.TOKENS).evaluate(sent)
    assert cleared.stands
    at_point = printed(invented.TOKENS, sent.model)
    place = {"topic": "sends", "partition": 0, "offset": 0, "timestamp": invented.T}
    more = {"did": "D" * 26, "at": invented.T, "until": invented.T + 1, "basis": "S-1", "released": False, "src": place}
    state.put(entries.clearance(sent, **more, printed=at_point))
    (clearance,) = state.clearances(invented.T)
    later = judged(invented.store(*facts, stop("cp-1", 2)), state, BOTH)
    assert later.weigh(clearance).decision.codes == ("FACTS_UNAVAILABLE",)
    state.put(entries.clearance(sent, **more, printed=printed(BOTH, sent.model)))
    (clearance,) = state.clearances(invented.T)
    assert later.weigh(clearance).decision.codes == ("SUBJECT_OBJECTED",)


def test_a_stop_of_a_key_that_the_worker_lacks_then_it_is_not_ready_and_says_which() -> None:
    async def readiness(*facts: invented.Event, mark: str = "") -> dict[str, Any]:
        app = create_app(World("127.0.0.1:1", "x.").settings)
        app.scratch.rmdir()
        for offset, (topic, value) in enumerate(facts):
            record = invented.fact(topic, 0, offset, None, orjson.dumps(value))
            headers = named_by({"t1": mark}) if mark else ()
            app.gate.context.followers.store.apply(replace(record, headers=headers))
        report: dict[str, Any] = app.gate.readiness()
        return report

    said = asyncio.run(readiness(source("cp-1", 1), stop("cp-1", 2)))["token_keys"]
    assert said == [
        {"key": "t1", "stops": 0, "sources": 1, "held": True},
        {"key": "t1k2", "stops": 1, "sources": 0, "held": False},
    ]
    foreign = asyncio.run(readiness(stop("cp-1", 1), mark="00112233445566aa"))["token_keys"]
    assert [(use["key"], use["held"]) for use in foreign] == [("t1x", False)]


def header(*numbers: int, of: Tokens = BOTH, **over: str) -> tuple[tuple[str, bytes], ...]:
    """The header of an import under these keys. `over`: other fingerprints, by name."""
    names = ["t1" if n == 1 else f"t1k{n}" for n in numbers]
    return named_by({name: over.get(name, of.prints[name]) for name in names})


def told(*facts: tuple[invented.Event, tuple[tuple[str, bytes], ...]], of: Tokens = BOTH) -> Moment:
    """The worker's view after these facts, each with its headers."""
    store = invented.store()
    store.token_keys.ours = of.prints
    for offset, ((topic, value), headers) in enumerate(facts):
        record = invented.fact(topic, 0, offset, None, orjson.dumps(value))
        assert store.apply(replace(record, headers=headers)) is None
    return judged(store, LedgerState(), of)


OTHER = "00112233445566aa"
SENT = parsed(Send.model_validate_json(json.dumps(invented.send())))
LIVES = ((source("cp-1", 1), header(1)), (invented.consent(), ()))


def test_a_stop_list_with_another_key_of_the_same_number_then_nothing_is_cleared() -> None:
    stranger = (stop("cp-2", 1), header(1, t1=OTHER))
    assert told(*LIVES).evaluate(SENT).decision.verdict == "clear"
    assert told(*LIVES, (stop("cp-2", 1), header(1))).evaluate(SENT).decision.verdict == "clear"
    seen = told(*LIVES, stranger)
    assert seen.evaluate(SENT).decision.codes == ("FACTS_UNAVAILABLE",)
    assert [use.key for use in seen.store.token_keys.uses()] == ["t1x", "t1"]


@pytest.mark.parametrize("order", [*permutations(range(2))])
def test_the_list_imported_again_with_the_right_key_then_its_stops_count(order: tuple[int, ...]) -> None:
    both = ((stop("cp-2", 1), header(1, t1=OTHER)), (stop("cp-1", 1), header(1)))
    seen = told(*LIVES, *(both[n] for n in order))
    assert seen.evaluate(SENT).decision.codes == ("SUBJECT_OBJECTED",)
    other = parsed(Send.model_validate_json(json.dumps(invented.send(point="cp-9", recipient_id="P-9"))))
    assert "FACTS_UNAVAILABLE" not in seen.evaluate(other).decision.codes


@pytest.mark.parametrize("order", [*permutations(range(2))])
def test_a_stop_with_and_without_another_key_s_name_then_it_is_the_other_s(order: tuple[int, ...]) -> None:
    both = ((stop("cp-2", 1), ()), (stop("cp-2", 1), header(1, t1=OTHER)))
    seen = told(*LIVES, *(both[n] for n in order))
    assert seen.evaluate(SENT).decision.codes == ("FACTS_UNAVAILABLE",)
    assert [tuple(use) for use in seen.store.token_keys.uses()] == [("t1x", 1, 0), ("t1", 0, 1)]
    again = told(*LIVES, *(both[n] for n in order), (stop("cp-1", 1), header(1)))
    assert again.evaluate(SENT).decision.codes == ("SUBJECT_OBJECTED",)


def test_a_header_that_names_no_fingerprint_then_the_stop_is_unreadable() -> None:
    topic, value = stop("cp-1", 1)
    record = replace(invented.fact(topic, 0, 0, None, orjson.dumps(value)), headers=((HEADER, b"t1=?"),))
    assert invented.store().apply(record) == f"header_invalid at {HEADER}"


def test_a_source_imported_with_another_key_then_it_is_one_of_a_key_of_nobody() -> None:
    seen = told((source("cp-1", 1), header(1, t1=OTHER)), (invented.consent(), ()))
    assert seen.evaluate(SENT).decision.verdict != "clear"
    assert [tuple(use) for use in seen.store.token_keys.uses()] == [("t1x", 0, 1)]
