"""The sums of a campaign's check: exact numbers on a small campaign, and what one cure would really leave."""

from __future__ import annotations

from typing import Any

import orjson

from gatekeeper.deciding.decide import only
from gatekeeper.engine.failures import invalid
from gatekeeper.management.preflight import Checked, Preflight, Return
from gatekeeper.policy.packs import load
from schemas.codec import Unreadable
from schemas.events import Send
from tests.support import invented
from tests.support.invented import decide
from tests.support.people import CHECK

PACKS, STOPPED = load("jp-pmark"), "2020-05-01T10:00:00+09:00"


def source(person: str, **fields: Any) -> invented.Event:
    return invented.source(
        **{"source_id": f"S-{person}", "recipient_id": person, "contact_points": (f"cp-{person}",), **fields}
    )


def consent(person: str, **fields: Any) -> invented.Event:
    return invented.consent(**{"record_id": f"R-{person}", "recipient_id": person, **fields})


def bought(person: str, acquired_at: str | None = "2025-03-10") -> invented.Event:
    fields = {"notice_id": None, "acquired_at": acquired_at, "batch_id": "A-2025-03", "check": CHECK}
    return source(person, method="indirect.purchased_list", **fields)


FACTS = (
    source("agreed"),
    consent("agreed"),
    source("silent"),
    bought("bought"),
    # the same address under another id, five years after its objection
    bought("again"),
    invented.suppression(received_at=STOPPED, suppression_id="X-2", token="again.cp-again"),
    bought("erased", None),
    invented.suppression(received_at=STOPPED, suppression_id="X-3", token="erased.cp-erased", kind="erasure"),
)


def test_campaign_then_it_is_counted_and_who_left_and_came_back_is_listed() -> None:
    store, preflight, back = invented.store(*FACTS), Preflight(), {}
    for line, person in enumerate(("agreed", "silent", "bought", "again", "erased"), start=1):
        send = Send.model_validate_json(orjson.dumps(invented.send(recipient_id=person, point=f"cp-{person}")))
        facts = invented.view(store, send)
        decision = decide(send, facts, store.reference, PACKS, invented.T)
        back[person] = preflight.add(Checked(line, decision, send, facts), store.reference)
    preflight.add(
        Checked(6, only(PACKS.at(invented.T), invented.T, [invalid(Unreadable("not_json"))])), store.reference
    )
    assert (preflight.sends, preflight.withheld, preflight.cured) == (6, 5, {"C": 2, "N": 1})
    assert preflight.funnel["block", "SUBJECT_OBJECTED"] == preflight.funnel["confirm", "CONSENT_MISSING"] == 1
    assert preflight.returners() == [
        (("SUBJECT_ERASED", "indirect.purchased_list", None), {"erased"}),
        (("SUBJECT_OBJECTED", "indirect.purchased_list", "A-2025-03"), {"again"}),
    ]
    assert back["again"] == Return("SUBJECT_OBJECTED", "indirect.purchased_list", "S-again", "A-2025-03")
