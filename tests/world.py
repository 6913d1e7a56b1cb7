"""Invented events for tests: everything needed is filled in, and a test names only what matters to it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from hashlib import sha256
from typing import Any

import orjson

from gatekeeper.facts import FactStore

T = 1_795_482_000_000
"""2026-11-24T10:00:00+09:00 in milliseconds."""

Event = tuple[str, dict[str, Any]]
"""Topic (registry name) and value."""


def token(name: str) -> str:
    return "t1_" + sha256(name.encode()).hexdigest()[:43]


def bare(value: dict[str, Any]) -> dict[str, Any]:
    """Drops what is None, and writes days as text."""
    return {k: v.isoformat() if isinstance(v, date) else v for k, v in value.items() if v is not None}


def send(*, country: str | None = "JP", point: str = "cp-1", **fields: Any) -> dict[str, Any]:
    match = [{**one, "token": token(one["token"])} for one in fields.pop("match", ())]
    return bare(
        {
            "v": 1,
            "event_id": "E-1",
            "recipient_id": "P-1",
            "campaign_id": "K-1",
            "controller_id": "C1",
            "purpose": "mkt.dm.own",
            "channel": "postal",
            "message_class": "marketing",
            "contact_point": bare({"id": point, "token": token(point), "country": country}),
            "template_id": "T-1",
            "match": match,
            **fields,
        }
    )


def source(*, contact_points: Iterable[str] = ("cp-1",), **fields: Any) -> Event:
    value = {
        "v": 1,
        "source_id": "S-1",
        "recipient_id": "P-1",
        "method": "direct.point_card",
        "collected_by": "C1",
        "acquired_at": "2018-04-01",
        "notice_id": "OK",
        "contact_points": [{"id": point, "token": token(point)} for point in contact_points],
        **fields,
    }
    if check := value.get("check"):
        value["check"] = bare(check)
    return "sources", bare(value)


def consent(**fields: Any) -> Event:
    value = {
        "v": 1,
        "kind": "consent",
        "record_id": "R-1",
        "recipient_id": "P-1",
        "controller_id": "C1",
        "state": "Given",
        "event_time": "2024-05-01",
        "recorded_at": "2024-05-02T10:00:00+09:00",
        "expressed_by": "subject",
        "method": "paper",
        "purpose": "mkt.dm.own",
        "channels": ["postal"],
        "notice_id": "OK",
        "evidence_ref": "scan-1",
        **fields,
    }
    return "consents", bare(value)


def suppression(**fields: Any) -> Event:
    named = {"token": token(fields.pop("token"))} if "token" in fields else {"recipient_id": "P-1"}
    value = {
        "v": 1,
        "kind": "objection",
        "suppression_id": "X-1",
        "received_at": "2026-01-01T10:00:00+09:00",
        **named,
        **fields,
    }
    return "suppressions", bare(value)


def controller(**fields: Any) -> Event:
    return "reference", bare({"v": 1, "kind": "controller", "id": "C1", "name": "みどり小売", "group": "G1", **fields})


def notice(**fields: Any) -> Event:
    value = {"v": 1, "kind": "notice", "id": "OK", "controller_id": "C1", "purposes": ["mkt.dm.own"], "complete": True}
    return "reference", bare({**value, **fields})


REFERENCE: tuple[Event, ...] = (
    controller(),
    controller(id="C2", name="みどりカード"),
    notice(name="ポイントカード申込書 2018"),
    notice(id="CARD-V1", complete=False),
    notice(id="POINTS-V1", purposes=["service.points"], complete=False),
    notice(id="LEGACY", complete=False, accepted_legacy=True),
    notice(id="ROUTE-A", states_route="broker-a"),
    notice(id="PRETICKED", invalidated_at="2024-02-01"),
)


def store(*events: Event, reference: Iterable[Event] = REFERENCE) -> FactStore:
    """Returns a store with the events applied; every one of them must be readable."""
    found = FactStore()
    for offset, (topic, value) in enumerate((*reference, *events)):
        fault = found.apply(topic, 0, offset, None, orjson.dumps(value))
        assert fault is None, (topic, fault)
    return found
