"""A no that was said under one id, and the sends of another id at the same name and address (domain rule 8.1.36)."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from gatekeeper.deciding.facts import Facts
from gatekeeper.deciding.snapshot import read_snapshot
from gatekeeper.identity import printed
from gatekeeper.knowledge.person_facts import CAPS
from gatekeeper.knowledge.store import FactStore
from gatekeeper.policy.packs import load
from schemas.events import Send
from tests.support import invented
from tests.support.facts import fact
from tests.support.invented import decide

POLICY = load("jp-pmark")
HERE = {"recipient_id": "P-2", "source_id": "S-2", "contact_points": [{"id": "cp-2", "token": "cp-1"}]}
OTHER = invented.source(**HERE)
NO = invented.consent(record_id="N-2", recipient_id="P-2", state="Withdrawn", purpose="*", channels="*", notice_id=None)
OWN = [invented.source(), invented.consent(event_time="2023-01-01")]


def viewed(store: FactStore, **send: Any) -> Facts:
    read = Send.model_validate_json(orjson.dumps(invented.send(**send)))
    return store.view(read, printed(invented.TOKENS, read), **invented.NOW)


def verdict(store: FactStore, **send: Any) -> tuple[str, ...]:
    read = Send.model_validate_json(orjson.dumps(invented.send(**send)))
    return decide(read, viewed(store, **send), store.reference, POLICY, invented.T).codes


def test_a_no_of_another_id_then_the_snapshot_names_neither_that_id_nor_its_facts() -> None:
    store = invented.store(*OWN, OTHER, NO)
    facts = viewed(store)
    (stop,) = orjson.loads(facts.snapshot)["suppressions"]
    assert [name for name in (b"P-2", b"S-2", b"N-2", b"cp-2", b"t1_") if name in facts.snapshot] == []
    said = {"v", "kind", "word", "of_another", "received_at", "recorded_at", "arrived", "scope", "expressed_by"}
    assert stop["event"].keys() == {*said, "suppression_id"}
    assert stop["event"]["scope"] == {"controller": "C1", "channels": ["*"]}
    assert read_snapshot(facts.snapshot) == facts


def test_a_record_of_another_id_that_cannot_be_read_then_whoever_meets_it_waits() -> None:
    store = invented.store(*OWN, OTHER)
    assert verdict(store) == ()
    heard: list[str] = []
    store.listeners.append(heard.append)
    assert store.apply(fact("consents", 0, 900, b"P-2", b"{")) is not None
    assert {"P-2", invented.token("cp-1")} <= {*heard}
    assert verdict(store) == ("FACTS_UNAVAILABLE",)
    late = invented.store(*OWN)
    late.apply(fact("consents", 0, 900, b"P-2", b"{"))
    late.apply(fact("sources", 0, 901, b"P-2", orjson.dumps(OTHER[1])))
    assert verdict(late) == ("FACTS_UNAVAILABLE",)


def test_a_no_then_whoever_has_a_token_of_that_id_is_judged_again() -> None:
    store, heard = invented.store(*OWN, OTHER), list[str]()
    store.listeners.append(heard.append)
    store.apply(fact("consents", 0, 900, b"P-2", orjson.dumps(NO[1])))
    assert heard == ["P-2", invented.token("cp-1")]
    more = invented.source(**HERE | {"source_id": "S-3", "contact_points": [{"id": "cp-3", "token": "cp-9"}]})
    store.apply(fact("sources", 0, 901, b"P-2", orjson.dumps(more[1])))
    assert invented.token("cp-9") in heard


def test_an_id_with_too_many_tokens_then_whoever_has_one_of_them_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody can tell any more which of its tokens a send meets."""
    monkeypatch.setitem(CAPS, b"t", 64)
    points = [[{"id": f"p{n}", "token": f"x{number}-{n}"} for n in range(16)] for number in range(5)]
    many = [
        invented.source(recipient_id="P-2", source_id=f"S-{n}", contact_points=some) for n, some in enumerate(points)
    ]
    for order in ((*OWN, OTHER, NO, *many), (*OWN, OTHER, *many, NO)):
        assert verdict(invented.store(*order)) == ("FACTS_UNAVAILABLE",)
