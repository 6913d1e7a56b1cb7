"""Generated people: sets of readable events about one person, and sends to them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.support import invented

POINTS = ("cp-1", "cp-2")
HOME, FLAT, LODGER, AWAY = (
    {"name": name, "lines": [f"東京都渋谷区神宮前{line}"]}
    for name, line in (
        ("高橋 一郎", "1-2-3"),
        ("髙橋 一郎 様", "一丁目２番３号 みどりハイツ101"),
        ("高橋一郎", "1-2-3 佐藤様方"),
        ("斎藤 一郎", "9-9-9"),
    )
)
WRITTEN = (HOME, FLAT, LODGER, AWAY)
BESIDE = tuple({**HOME, "lines": [*HOME["lines"], more]} for more in ("転送先 大阪府大阪市北区梅田9-9-9", "佐藤 恵 様"))
"""Deliveries with text beside one name and one address."""
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
METHODS = (
    "direct.point_card",
    "direct.point_card",
    "direct.support_call",
    "indirect.purchased_list",
    "indirect.personal_related",
    "indirect.joint_use",
    "indirect.succession",
    "indirect.entrusted",
    "indirect.gift_recipient",
    "public.web",
    "unknown.legacy",
)

SPEAKERS = ("subject", "subject", "guardian", "import")
BIRTHS = ("2015", "2001-02-28", "2010-09-30", "1900-01-01")

numbers = st.integers(0, 3)
times = st.sampled_from(TIMES)


def sources(*, warning: bool) -> st.SearchStrategy[invented.Event]:
    """Sources; `warning`: also such as warn of themselves or of the person."""
    fields: dict[str, Any] = {
        "source_id": numbers.map("S-{}".format),
        "method": st.sampled_from(METHODS),
        "notice_id": st.sampled_from(NOTICES),
        "collected_by": st.sampled_from(("C1", "C1", "C2")),
        "acquired_at": st.none() | times,
        "channel": st.sampled_from(("postal", "postal", "postal", "email")),
        "contact_points": st.sampled_from(
            (
                *(("cp-1",), ("cp-1",), ("cp-2",), (), POINTS),
                *([{"id": "cp-1", "channel": "postal", "written": one}] for one in WRITTEN),
                *([{"id": "cp-2", "channel": "postal", "written": one}] for one in WRITTEN[:2]),
            )
        ),
        "purposes_told": st.sampled_from(((), ("mkt.dm.own",))).map(list),
        "check": st.sampled_from((None, CHECK, CHECK)),
        "route": st.sampled_from((None, "broker-a", "broker-a")),
        "terms_id": st.sampled_from((None, "JU", "JU", "JU-CARD", "NOWHERE")),
        "succession": st.sampled_from(
            (None, {"predecessor": "C2", "closed_at": "2023-10-01", "old_purposes": ["mkt.dm.own"]})
        ),
        "entrustment": st.sampled_from((None, {"entruster": "C1", "purposes": ["mkt.dm.own"]})),
    }
    if warning:
        fields |= {
            "state": st.sampled_from(("active", "active", "deleted", "illicit", "quarantined")),
            "may_be_minor": st.none() | st.booleans(),
            "birth_date": st.sampled_from((None, None, *BIRTHS)),
            "batch_id": st.sampled_from((None, "B-1", "B-LEAK", "B-FROZEN")),
        }
    return st.fixed_dictionaries(fields).map(lambda made: invented.source(**made))


def givens() -> st.SearchStrategy[invented.Event]:
    """Consents given, proven and faulty ones."""
    return (
        st.fixed_dictionaries(
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
                "answers": st.sampled_from((None, None, "Q-0", "Q-1")),
                "double_opt_in": st.sampled_from((None, None, True)),
            }
        ).map(lambda made: invented.consent(**made))
        | clicks()
    )


def clicks() -> st.SearchStrategy[invented.Event]:
    """Ends of the round trip of a double opt-in, some of nothing on file."""
    return st.fixed_dictionaries(
        {
            "record_id": numbers.map("D-{}".format),
            "method": st.just("doi_confirm"),
            "confirms": st.none() | numbers.map("R-{}".format),
            "controller_id": st.sampled_from(("C1", "C1", "C2")),
            "event_time": st.none() | times,
        }
    ).map(lambda made: invented.consent(**made))


def nos() -> st.SearchStrategy[invented.Event]:
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
            "expressed_by": st.sampled_from(SPEAKERS),
        }
    ).map(lambda made: invented.consent(**made))
    stopped = st.fixed_dictionaries(
        {
            "suppression_id": numbers.map("X-{}".format),
            "received_at": times,
            "scope": st.sampled_from(SCOPES),
            "expressed_by": st.sampled_from((None, *SPEAKERS)),
        },
        optional={"token": st.sampled_from((*POINTS, "cp-9")), "written": st.sampled_from((None, None, *WRITTEN))},
    ).map(lambda made: invented.suppression(**made))
    return said | stopped


def others() -> st.SearchStrategy[invented.Event]:
    """Ends of consents, and stops that are not the will's."""
    consents = st.fixed_dictionaries(
        {
            "record_id": numbers.map("O-{}".format),
            "state": st.sampled_from(("Invalidated", "Expired", "Requested", "Given")),
            "double_opt_in": st.none() | st.booleans(),
            "effective_from": st.none() | times,
            "effective_to": st.none() | times,
            "event_type": st.sampled_from((None, "implied")),
        }
    ).map(lambda made: invented.consent(**made))
    stops = st.fixed_dictionaries(
        {
            "suppression_id": numbers.map("Y-{}".format),
            "kind": st.sampled_from(
                ("cessation", "deceased", "undeliverable", "erasure", "refusal_returned", "external")
            ),
            "state": st.sampled_from((None, "active", "corrected", "open", "upheld", "rejected")),
            "received_at": times,
        },
        optional={"token": st.just("cp-9")},
    ).map(stopped)
    corrections = st.fixed_dictionaries(
        {
            "suppression_id": numbers.map("X-{}".format),
            "state": st.sampled_from(("active", "corrected")),
            "received_at": times,
        },
        optional={"token": st.just("cp-9")},
    ).map(lambda made: invented.suppression(**made))
    return consents | stops | corrections


@st.composite
def other_ids(draw: st.DrawFn) -> list[invented.Event]:
    """Facts of another id, which may have a home of the person's, under any spelling and for any channel."""
    at = st.sampled_from((*POINTS, "cp-9"))
    made = []
    for n in range(draw(st.integers(1, 2))):
        point = {"id": draw(at), "marked": draw(st.sampled_from((None, "postal", "email")))}
        point |= {"written": draw(st.sampled_from(WRITTEN))} if draw(st.booleans()) else {"token": draw(at)}
        fields = {"state": draw(st.sampled_from((None, "deleted", "quarantined"))), "acquired_at": draw(times)}
        made.append(invented.source(source_id=f"S-other-{n}", contact_points=[point], **fields))
    said = draw(st.lists(nos() | givens(), max_size=3))
    return [(topic, {**value, "recipient_id": "P-2"}) for topic, value in (*made, *said) if "token" not in value]


def stopped(made: dict[str, Any]) -> invented.Event:
    """A stop; one that takes an erasure back is of now, as the managers who sign it are in force."""
    if (made["kind"], made["state"]) == ("erasure", "corrected"):
        made = {**made, "received_at": "2026-11-24T09:59:00+09:00"}
    return invented.suppression(**made)


def questions() -> st.SearchStrategy[invented.Event]:
    """Asks to the person, in the name of one controller or of every one."""
    return st.fixed_dictionaries(
        {
            "request_id": numbers.map("Q-{}".format),
            "source_id": numbers.map("S-{}".format),
            "template_id": st.sampled_from(("T-1", "T-1", "T-BARE", "T-9")),
            "stated_route": st.sampled_from(("broker-a", "direct.point_card")),
            "at": st.sampled_from(TIMES),
            "controller_id": st.sampled_from((None, None, "C1", "C2")),
        }
    ).map(lambda made: invented.ask(**made))


def asked() -> st.SearchStrategy[invented.Event]:
    """The questions that a person was asked, and other events about the person."""
    events = st.sampled_from(
        (
            {"kind": "ask_undelivered", "request_id": "Q-0"},
            {"kind": "notice_given", "source_id": "S-0"},
            {"kind": "undeliverable_resolved"},
            {"kind": "identity_resolved"},
        )
    ).map(lambda made: invented.event(**made))
    return questions() | events


def released() -> st.SearchStrategy[invented.Event]:
    """Releases and revocations by reviewers."""
    return st.fixed_dictionaries(
        {
            "kind": st.sampled_from(("release", "release", "release_revoked")),
            "decision_id": numbers.map("D-{}".format),
            "by": st.sampled_from(("hanako", "taro")),
            "at": st.sampled_from(("2026-11-23", "2026-11-24T09:00:00+09:00", "2026-10-01", "2027-01-01")),
            "reasons": st.lists(
                st.sampled_from(
                    (
                        "AGE_UNCERTAIN",
                        "SOURCE_CONFLICT",
                        "CONSENT_MISSING",
                        "SUBJECT_OBJECTED",
                        "CONTACT_POINT_NOT_COVERED",
                    )
                ),
                max_size=3,
            ),
            "evidence_ref": st.sampled_from((None, "memo-1")),
            "bulk": st.sampled_from((1, 1, 101, None)),
        }
    ).map(lambda made: invented.act(**made))


def people() -> st.SearchStrategy[list[invented.Event]]:
    """Anything that may be known of a person."""
    return st.lists(sources(warning=True) | givens() | nos() | others() | asked() | released(), max_size=9)


def bought() -> st.SearchStrategy[list[invented.Event]]:
    """People whose data was bought, once or twice, and of whom little else is known."""
    named = {"method": "indirect.purchased_list", "notice_id": None, "check": CHECK, "route": "broker-a"}
    lists = [invented.source(source_id=f"S-{n}", **named) for n in (1, 2)]
    known = st.lists(sources(warning=False) | givens(), max_size=2)
    return st.tuples(st.sampled_from((lists[:1], lists)), known).map(lambda made: [*made[0], *made[1]])


def ruled_people() -> st.SearchStrategy[list[invented.Event]]:
    """People of whom sources and consents are known, and no warning."""
    return st.lists(sources(warning=False) | givens(), max_size=6)


def sends() -> st.SearchStrategy[dict[str, Any]]:
    """Sends to the person, most of them ordinary."""
    return st.fixed_dictionaries(
        {
            "purpose": st.sampled_from((None, None, None, "mkt.dm.own", "service.orders", "nowhere")),
            "channel": st.sampled_from(("postal", "postal", "postal", "email")),
            "controller_id": st.sampled_from(("C1", "C1", "C1", "C9")),
            "country": st.sampled_from(("JP", "JP", "JP", "GB", None)),
            "match": st.lists(
                st.fixed_dictionaries({"token": st.just("cp-9"), "score": st.sampled_from((0, 899, 900))}), max_size=2
            ),
            "mail_date": st.sampled_from((None, "2026-12-20", "2030-01-01")),
            "audience": st.sampled_from(([], [], [], ["health.check"])),
            "message_class": st.sampled_from(("marketing",) * 5 + ("transactional", "confirmation", "safety_legal")),
            "source_id": st.sampled_from(("S-0", "S-1")),
            "request_id": st.just("Q-0"),
            "delivery": st.sampled_from((None, None, *WRITTEN, *BESIDE, {"name": "高橋 一郎"})),
        }
    ).map(lambda made: invented.send(**invented.bare(made)))


def unknown_nos() -> st.SearchStrategy[invented.Event]:
    """Withdrawals and objections, each with a name that nobody registered."""
    unknown = st.sampled_from(
        ({"purpose": "mkt.nowhere"}, {"controller": "C-77"}, {"point": "cp-99"}, {"channels": ["owl"]})
    )
    return st.builds(_unknown, unknown, st.booleans(), st.sampled_from(TIMES[:5]))


def _unknown(named: dict[str, Any], by_stop: bool, when: str) -> invented.Event:
    fields = {"controller": "C1", "purpose": "mkt.dm.own", "channels": ["postal"], **named}
    if by_stop:
        point = {"contact_point": fields.pop("point")} if "point" in fields else {}
        return invented.suppression(suppression_id="X-W", received_at=when, scope={**fields, **point})
    point = {"contact_point_id": fields.pop("point")} if "point" in fields else {}
    fields["controller_id"] = fields.pop("controller")
    return invented.consent(record_id="N-W", state="Withdrawn", event_time=when, **fields, **point)
