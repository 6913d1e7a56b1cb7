"""The sums of a campaign's check: exact numbers on a small campaign, and what one cure would really leave."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Any

import orjson
import pytest

from gatekeeper.deciding.decide import Decision, only
from gatekeeper.deciding.rules.system import Cleared
from gatekeeper.engine.failures import invalid
from gatekeeper.management.preflight import Checked, Preflight, Return, cures
from gatekeeper.policy.packs import load
from schemas.codec import Unreadable
from schemas.events import Send
from tests.support import invented
from tests.support.invented import decide
from tests.support.people import CHECK

PACKS = load("jp-pmark")


def source(person: str, **fields: Any) -> invented.Event:
    return invented.source(
        **{"source_id": f"S-{person}", "recipient_id": person, "contact_points": (f"cp-{person}",), **fields}
    )


def consent(person: str, **fields: Any) -> invented.Event:
    return invented.consent(**{"record_id": f"R-{person}", "recipient_id": person, **fields})


def bought(person: str, **fields: Any) -> invented.Event:
    fields = {"notice_id": None, "acquired_at": "2025-03-10", "batch_id": "A-2025-03", **fields}
    return source(person, method="indirect.purchased_list", **fields)


def stop(**fields: Any) -> invented.Event:
    kind, value = invented.suppression(**{"received_at": "2020-05-01T10:00:00+09:00", **fields})
    if "recipient_id" in fields:
        value["recipient_id"] = fields["recipient_id"]
    return kind, value


FACTS = (
    source("agreed"),
    consent("agreed"),
    source("silent"),
    bought("bought", check=CHECK),
    bought("unchecked"),
    source("objected"),
    consent("objected"),
    stop(suppression_id="X-1", recipient_id="objected", received_at="2025-06-01"),
    # the same address under another id, five years after its objection
    bought("again", check=CHECK),
    stop(suppression_id="X-2", token="again.cp-again"),
    bought("erased", acquired_at=None),
    stop(suppression_id="X-3", token="erased.cp-erased", kind="erasure"),
    source("child", may_be_minor=True),
    consent("child"),
    source("mail", channel="email"),
    consent("mail", channels=["email"], evidence_ref=None),
    source("moved", contact_points=("cp-old",)),
    consent("moved"),
    source("flag", method="unknown.legacy", notice_id=None),
    consent("flag", event_time=None, evidence_ref=None, notice_id=None, method="import", expressed_by="import"),
)
SENDS = (
    ("agreed", {}, "clear", (), {}),
    ("silent", {}, "confirm", ("CONSENT_MISSING",), {"CONSENT_MISSING": ("C",)}),
    (
        "bought",
        {},
        "confirm",
        ("THIRD_PARTY_UNCONFIRMED", "CONSENT_MISSING"),
        {"THIRD_PARTY_UNCONFIRMED": ("C",), "CONSENT_MISSING": ("C",)},
    ),
    # the check would be one record, but then the person must still be asked
    ("unchecked", {}, "block", ("SOURCE_CHECK_MISSING", "PROVIDER_BASIS_MISSING"), {}),
    ("nobody", {}, "block", ("SOURCE_UNKNOWN",), {}),
    ("objected", {}, "block", ("SUBJECT_OBJECTED",), {"SUBJECT_OBJECTED": ("N",)}),
    ("again", {}, "block", ("SUBJECT_OBJECTED",), {"SUBJECT_OBJECTED": ("N",)}),
    ("erased", {}, "block", ("SUBJECT_ERASED", "SOURCE_CHECK_MISSING", "PROVIDER_BASIS_MISSING"), {}),
    ("child", {}, "review", ("AGE_UNCERTAIN",), {"AGE_UNCERTAIN": ("R", "C")}),
    (
        "mail",
        {"channel": "email"},
        "block",
        ("EMAIL_CONSENT_RECORD_MISSING",),
        {"EMAIL_CONSENT_RECORD_MISSING": ("F",)},
    ),
    ("flag", {}, "block", ("SOURCE_UNKNOWN", "CONSENT_EVIDENCE_MISSING"), {}),
    # no source gives the new address, so nobody may ask there, but one may be added
    ("moved", {}, "block", ("CONTACT_POINT_NOT_COVERED",), {"CONTACT_POINT_NOT_COVERED": ("F",)}),
    ("mistaken", {"controller_id": "C9"}, "block", ("EVENT_INVALID",), {}),
)


@cache
def campaign() -> tuple[Preflight, dict[str, tuple[Decision, Return | None]]]:
    """The sums and, by recipient, the decisions; with the first send once more, and a line that cannot be read."""
    store, preflight, found = invented.store(*FACTS), Preflight(), {}
    for line, (person, fields, *_) in enumerate((*SENDS, SENDS[0]), start=1):
        twin = 1 if line > len(SENDS) else None
        value = invented.send(recipient_id=person, point=f"cp-{person}", **fields)
        send = Send.model_validate_json(orjson.dumps(value))
        facts = invented.view(store, send)
        decision = decide(
            send, facts, store.reference, PACKS, invented.T, clearance=Cleared("line/1") if twin else None
        )
        returned = preflight.add(Checked(line, decision, send, facts, duplicate_of=twin), store.reference)
        found.setdefault(person, (decision, returned))
    broken = only(PACKS.at(invented.T), invented.T, [invalid(Unreadable("not_json"))])
    preflight.add(Checked(len(SENDS) + 2, broken), store.reference)
    return preflight, found


@pytest.fixture
def preflight() -> Preflight:
    return campaign()[0]


def test_sends_of_the_campaign_then_their_reasons_and_the_cures_that_clear_them() -> None:
    for person, _, verdict, codes, clearing in SENDS:
        decision, _ = campaign()[1][person]
        assert (decision.verdict, decision.codes) == (verdict, codes), person
        assert {code: remedies for code, remedies in cures(decision).items() if remedies} == clearing, person


def test_campaign_then_the_funnel_counts_every_line_once(preflight: Preflight) -> None:
    assert (preflight.sends, preflight.withheld, preflight.duplicates) == (len(SENDS) + 2, len(SENDS) + 1, 1)
    each = Counter((verdict, codes[0] if codes else "") for _, _, verdict, codes, _ in SENDS)
    assert preflight.funnel == each + Counter({("block", "EVENT_INVALID"): 1, ("block", "DUPLICATE_SEND"): 1})


def test_campaign_then_reasons_rank_by_what_they_withhold_and_what_one_cure_recovers(
    preflight: Preflight,
) -> None:
    assert [(code, weight.withheld, weight.recoverable) for code, weight in preflight.ranked()] == [
        *(("CONSENT_MISSING", 2, 2), ("SUBJECT_OBJECTED", 2, 2), ("EVENT_INVALID", 2, 0)),
        *(("PROVIDER_BASIS_MISSING", 2, 0), ("SOURCE_CHECK_MISSING", 2, 0), ("SOURCE_UNKNOWN", 2, 0)),
        *(("AGE_UNCERTAIN", 1, 1), ("CONTACT_POINT_NOT_COVERED", 1, 1), ("EMAIL_CONSENT_RECORD_MISSING", 1, 1)),
        *(("THIRD_PARTY_UNCONFIRMED", 1, 1), ("CONSENT_EVIDENCE_MISSING", 1, 0), ("DUPLICATE_SEND", 1, 0)),
        ("SUBJECT_ERASED", 1, 0),
    ]
    assert preflight.cured == {"C": 3, "N": 2, "F": 2, "R": 1}


@pytest.mark.parametrize(("confirmed", "promised"), [(True, ("F",)), (False, ())])
def test_list_without_its_check_then_the_check_is_promised_only_where_it_clears(
    confirmed: bool, promised: tuple[str, ...]
) -> None:
    def decided(**fields: Any) -> Decision:
        facts = [bought("P-1", route="broker-a", **fields)]
        facts += [invented.consent(notice_id="ROUTE-A")] if confirmed else []
        store = invented.store(*facts)
        send = Send.model_validate_json(orjson.dumps(invented.send(point="cp-P-1")))
        return decide(send, invented.view(store, send), store.reference, PACKS, invented.T)

    assert decided().codes == ("SOURCE_CHECK_MISSING", "PROVIDER_BASIS_MISSING")
    assert cures(decided()) == {"SOURCE_CHECK_MISSING": promised, "PROVIDER_BASIS_MISSING": promised}
    assert (decided(check=CHECK).verdict == "clear") == bool(promised)


def test_campaign_then_who_left_and_came_back_is_told_with_the_list(preflight: Preflight) -> None:
    assert preflight.returners() == [
        (("SUBJECT_ERASED", "indirect.purchased_list", None), {"erased"}),
        (("SUBJECT_OBJECTED", "indirect.purchased_list", "A-2025-03"), {"again"}),
    ]
    assert campaign()[1]["again"][1] == Return("SUBJECT_OBJECTED", "indirect.purchased_list", "S-again", "A-2025-03")


@pytest.mark.parametrize(
    ("acquired", "back"),
    [("2026-01-02", True), ("2026-01-01", False), (None, False)],
    ids=["later", "same day", "undated"],
)
def test_withdrawn_and_a_further_source_then_back_only_if_it_was_acquired_later(
    acquired: str | None, back: bool
) -> None:
    taken = invented.consent(record_id="R-2", state="Withdrawn", event_time="2026-01-01", purpose="*")
    store = invented.store(
        invented.source(), invented.consent(), taken, invented.source(source_id="S-2", acquired_at=acquired)
    )
    send = Send.model_validate_json(orjson.dumps(invented.send()))
    facts = invented.view(store, send)
    decision = decide(send, facts, store.reference, PACKS, invented.T)
    assert decision.codes == ("CONSENT_WITHDRAWN",)
    returned = Preflight().add(Checked(1, decision, send, facts), store.reference)
    assert (returned is not None) == back
