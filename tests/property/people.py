"""Generated people: sets of readable events about one person, and sends to them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests import world

POINTS = ("cp-1", "cp-2")
TIMES = (
    "2023-01-01",
    "2024-05-01",
    "2024-05-01T00:00:00+09:00",
    "2024-04-30T15:00:00Z",
    "2025-06-01T10:00:00+09:00",
    "2026-11-24T10:03:00+09:00",
    "2027-01-01",
)
NOTICES = ("OK", "CARD-V1", "POINTS-V1", "LEGACY", "ROUTE-A", "PRETICKED", "NOWHERE", None)
PURPOSES = ("mkt.dm.own", "mkt.dm", "service.points")
SCOPES: list[dict[str, Any]] = [
    {},
    {"controller": "C1"},
    {"controller": "C2"},
    {"group": "G1"},
    {"purpose": "mkt", "channels": ["postal"]},
    {"channels": ["email"]},
    {"contact_point": "cp-1"},
    {"contact_point": "cp-2"},
]
CHECK = {
    "checked_at": "2025-03-03",
    "name": "A",
    "address": "B",
    "representative": "C",
    "how_obtained": "D",
    "basis": "consent",
}
RULED_METHODS = ("direct.point_card", "direct.support_call", "indirect.purchased_list", "unknown.legacy")
OTHER_METHODS = ("indirect.joint_use", "indirect.referral", "public.web")

numbers = st.integers(0, 3)
times = st.sampled_from(TIMES)


def sources(*, ruled: bool) -> st.SearchStrategy[world.Event]:
    """Sources; `ruled`: only such as the rules so far know, none of them a warning."""
    methods = RULED_METHODS if ruled else RULED_METHODS + OTHER_METHODS
    fields: dict[str, Any] = {
        "source_id": numbers.map("S-{}".format),
        "method": st.sampled_from(methods),
        "notice_id": st.sampled_from(NOTICES),
        "collected_by": st.sampled_from(("C1", "C1", "C2")),
        "acquired_at": st.none() | times,
        "contact_points": st.sampled_from((("cp-1",), ("cp-1",), ("cp-2",), (), POINTS)),
        "purposes_told": st.sampled_from(((), ("mkt.dm.own",))).map(list),
        "check": st.sampled_from((None, CHECK, CHECK)),
        "route": st.sampled_from((None, "broker-a")),
    }
    if not ruled:
        fields |= {
            "state": st.sampled_from(("active", "active", "deleted", "illicit", "quarantined")),
            "may_be_minor": st.none() | st.booleans(),
            "birth_date": st.sampled_from((None, None, "2015", "2001-02-28")),
            "batch_id": st.sampled_from((None, "B-1")),
        }
    return st.fixed_dictionaries(fields).map(lambda made: world.source(**made))


def givens() -> st.SearchStrategy[world.Event]:
    """Consents given, proven and faulty ones."""
    return st.fixed_dictionaries(
        {
            "record_id": numbers.map("R-{}".format),
            "state": st.sampled_from(("Given", "RenewedGiven")),
            "controller_id": st.sampled_from(("C1", "C1", "C1", "C2")),
            "purpose": st.sampled_from(("mkt.dm.own", "mkt.dm.own", "service.points")),
            "channels": st.sampled_from((["postal"], ["postal", "email"], ["email"])),
            "contact_point_id": st.sampled_from((None, None, *POINTS)),
            "event_time": st.none() | times,
            "expressed_by": st.sampled_from(("subject", "subject", "guardian", "family", "import")),
            "method": st.sampled_from(("paper", "web", "import")),
            "notice_id": st.sampled_from(NOTICES),
            "evidence_ref": st.sampled_from((None, "scan-1", "scan-1")),
        }
    ).map(lambda made: world.consent(**made))


def nos() -> st.SearchStrategy[world.Event]:
    """Withdrawals, refusals and objections."""
    said = st.fixed_dictionaries(
        {
            "record_id": numbers.map("N-{}".format),
            "state": st.sampled_from(("Withdrawn", "Withdrawn", "Refused")),
            "controller_id": st.sampled_from(("C1", "C2", "*")),
            "purpose": st.sampled_from((*PURPOSES, "*", None)),
            "channels": st.sampled_from((["postal"], ["email"], ["postal", "email"], "*", [])),
            "contact_point_id": st.sampled_from((None, "*", *POINTS)),
            "event_time": st.none() | times,
        }
    ).map(lambda made: world.consent(**made))
    stopped = st.fixed_dictionaries(
        {
            "suppression_id": numbers.map("X-{}".format),
            "received_at": times,
            "scope": st.sampled_from(SCOPES),
        },
        optional={"token": st.sampled_from((*POINTS, "cp-9"))},
    ).map(lambda made: world.suppression(**made))
    return said | stopped


def others() -> st.SearchStrategy[world.Event]:
    """Events that no rule reads yet."""
    consents = st.fixed_dictionaries(
        {
            "record_id": numbers.map("O-{}".format),
            "state": st.sampled_from(("Invalidated", "Expired", "Requested", "Given")),
            "double_opt_in": st.none() | st.booleans(),
            "effective_from": st.none() | times,
            "effective_to": st.none() | times,
            "event_type": st.sampled_from((None, "implied")),
        }
    ).map(lambda made: world.consent(**made))
    stops = st.fixed_dictionaries(
        {
            "suppression_id": numbers.map("Y-{}".format),
            "kind": st.sampled_from(("cessation", "deceased", "refusal_returned", "external")),
            "state": st.sampled_from((None, "active", "corrected", "open", "rejected")),
        }
    ).map(lambda made: world.suppression(**made))
    return consents | stops


def people() -> st.SearchStrategy[list[world.Event]]:
    """Anything that may be known of a person."""
    return st.lists(sources(ruled=False) | givens() | nos() | others(), max_size=8)


def ruled_people() -> st.SearchStrategy[list[world.Event]]:
    """People of whom only sources and consents are known that the rules so far read."""
    return st.lists(sources(ruled=True) | givens(), max_size=6)


def sends() -> st.SearchStrategy[dict[str, Any]]:
    """Sends to the person, most of them ordinary."""
    return st.fixed_dictionaries(
        {
            "purpose": st.sampled_from(("mkt.dm.own", "mkt.dm.own", "mkt.dm.own", "nowhere")),
            "channel": st.sampled_from(("postal", "postal", "postal", "email")),
            "controller_id": st.sampled_from(("C1", "C1", "C1", "C9")),
            "country": st.sampled_from(("JP", "JP", "JP", "GB", None)),
            "match": st.lists(
                st.fixed_dictionaries({"token": st.just("cp-9"), "score": st.sampled_from((0, 899, 900))}), max_size=2
            ),
            "mail_date": st.sampled_from((None, "2026-12-20", "2030-01-01")),
            "audience": st.sampled_from(([], [], [], ["x"])),
        }
    ).map(lambda made: world.send(**made))
