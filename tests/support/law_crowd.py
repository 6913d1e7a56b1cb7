"""Invented people with facts of many kinds, to compare the product with an independent reading of the rules.

python -m tests.support.law_crowd --people 100000 --seed 1
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from random import Random
from typing import Any, NamedTuple

import orjson

from gatekeeper.deciding.decide import Decision
from gatekeeper.policy.packs import Packs, load
from schemas.events import Send
from schemas.record import Record
from schemas.values import Channel
from tests.support import invented, policies, staff
from tests.support.law.case import REVIEWED, SURE, Case, Heard, HeardRelease, Place, nameless, span
from tests.support.law.verdicts import Law

AT = datetime.fromisoformat("2026-12-10T10:00:00+09:00")
AT_MS = int(AT.timestamp() * 1000)
_SINCE = int(datetime.fromisoformat("2026-12-03T00:00:00+09:00").timestamp() * 1000)
_EXCEPTED = policies.today(7, ("ask_cap = 1", 'ask_cap = 1\nstatutory_exception = "opinion-7"'), of="jp-appi")
EXCEPTED = "jp-appi with exceptions"
"""The law alone, with the exceptions of rule 8.3.55 switched on by two managers."""


@cache
def _packs(policy: str) -> Packs:
    packs = load(policy.split()[0])
    if policy != EXCEPTED:
        return packs
    record = "reference", policies.policy_record(_EXCEPTED, _SINCE)
    return invented.store(reference=(*REFERENCE, record)).activations.over(packs)


GROUP = 100
"""People who share a store; in another store others live in the same homes."""

OTHER = (
    "indirect.purchased_list",
    "indirect.purchased_list",
    "indirect.partner",
    "indirect.referral",
    "indirect.gift_recipient",
    "public.directory",
    "public.web",
)
LATE = timedelta(hours=1)
LATELY = "2026-12-10T09:50:00+09:00"

DAYS = ("2023-01-10", "2024-05-01", "2025-06-01", "2026-01-10", "2026-03-10", "2026-05-10", "2026-11-01", "2026-12-09")
TIMES = (*DAYS, *DAYS, *(f"{day}T12:00:00+09:00" for day in DAYS), "2026-12-10", "2026-12-10T09:00:00+09:00")
AHEAD = ("2026-12-10T10:03:00+09:00", "2026-12-24")
NAME, SPOUSE, COUPLE = "高橋 一郎", "高橋 花子", "高橋 一郎・花子"
SAME = ("高橋 一郎", "髙橋一郎 様", "高橋 一郎さん", "高橋 一郎 先生", "高橋 一郎ちゃん")
NEAR = ("〓橋 一郎", "高橋 郎", "高橋一", "高", "高橋", "高橋家", "高橋 御一同", "高橋")
FAMILY = ("高橋", "高橋家", "高橋 御一同", "高")
APART = ("高橋 健", "佐藤 恵", "高橋 隆行")

MENDED = "2025-09-01T10:00:00+09:00"
CHANGED = ("SINCE", "GONE", "MENDED")
"""Notices with a second version: complete only since, no longer, and complete by a resolution."""
FORMS = (
    None, "CARD-V1", "LEGACY", "PRETICKED", "YOUNG", "WIDE", "ROUTE-A", "C2-CARD", "UNSAID", "NOWHERE", *CHANGED,
)  # fmt: skip
OPPOSED = ("mkt", "mkt.dm", "mkt.dm.own", "mkt.dm.food", "mkt.dm.late", "service.points", "gone.away", "*")
"""The notices that a yes names, and the purposes that a no names."""
AUDIENCES = (
    "health.diabetes", "near.Hospital-visitors", "糖尿病患者向け", "race", "car.checkup", "medical-checkup", "golf",
    "健康食品の購入者", "健康食品と糖尿病", "health_food", "動物病院", "健康靴下", "健康靴下と糖尿病", "健康茶",
)  # fmt: skip
_SERVICE = {"transactional": ["postal", "email"]}
_CHECK = {**invented.CHECK, "checked_at": "2025-03-03", "basis": "consent", "filing_no": None}
REFERENCE: tuple[invented.Event, ...] = (
    *invented.REFERENCE,
    invented.purpose(id="mkt.dm"),
    invented.purpose(id="mkt.dm.late", recorded_at="2025-06-01T10:00:00+09:00"),
    invented.notice(id="WIDE", purposes=["mkt.dm"], recorded_at="2024-01-01"),
    invented.notice(id="YOUNG", valid_from="2024-01-01"),
    invented.notice(id="AOBA-OWN", controller_id="AOBA"),
    invented.notice(id="AOBA-BARE", controller_id="AOBA", complete=False),
    invented.notice(id="C2-BARE", controller_id="C2", complete=False),
    invented.notice(id="ROUTE-BARE", states_route="broker-a", complete=False),
    invented.notice(id="ROUTE-C2", controller_id="C2", states_route="broker-a"),
    invented.notice(id="ROUTE-NAMES", controller_id="C2", names=["C1"], states_route="broker-a"),
    # C1 is told anew: it sells nothing by mail order
    invented.controller(notice_items=invented.NOTICE_ITEMS, mail_order=False),
    invented.controller(id="LATE", name="あとから", recorded_at="2026-01-10T10:00:00+09:00"),
    invented.controller(id="SIGNED", name="署名", recorded_at="2026-01-10T10:00:00+09:00", by=invented.MANAGERS),
    *(invented.notice(id=id_, complete=id_ == "GONE", recorded_at="2018-01-01") for id_ in CHANGED),
    *(invented.notice(id=id_, complete=id_ != "GONE", recorded_at=MENDED) for id_ in CHANGED),
    invented.resolution(of="notice/MENDED", version=2),
    invented.notice(id="UNSAID", recorded_at="2018-01-01", invalidated_at="2024-02-01"),
    invented.notice(id="UNSAID", recorded_at=MENDED),
    invented.template(id="T-MENDED", recorded_at="2018-01-01", ask_complete=False),
    invented.template(id="T-MENDED", recorded_at="2026-02-01T10:00:00+09:00"),
    invented.template(id="T-CHANGED", recorded_at="2018-01-01", persons=[{"release": "MR-1"}]),
    invented.template(id="T-CHANGED", recorded_at=MENDED, persons=[{}]),
    # each with a second version by which it is an advertisement, or is none (rule 8.3.49)
    *(
        invented.template(
            id=id_, recorded_at=came, display_ok={**({"marketing": ["email"]} if is_ad else {}), **_SERVICE}
        )
        for id_, ads in (("T-WAS-AD", (True, False)), ("T-IS-AD", (False, True)))
        for came, is_ad in zip(("2018-01-01", MENDED), ads, strict=True)
    ),
    invented.audience_phrase(id="P-TWO", phrase="健康靴下"),
    invented.audience_phrase(id="P-ONE", phrase="健康茶", by=["hanako", "Hanako"]),
    invented.audience_phrase(id="P-WORD", phrase="糖尿病"),
    invented.template(id="T-SMS", display_ok={"marketing": ["sms"], "confirmation": ["sms"]}),
    *(
        invented.terms(terms_id=id_, version=version, published_at=published, recorded_at=came, parties=parties)
        for id_ in ("JU-GROWN", "JU-SIGNED")
        for version, published, came, parties in (
            (1, "2018-04-01", "2018-04-02", ["C2"]),
            (2, "2020-04-01", "2025-05-20T10:00:00+09:00", ["C1", "C2"]),
        )
    ),
    invented.resolution(of="joint_use_terms/JU-SIGNED", version=2),
    invented.controller(id="C3", name="みどり屋", group="G1", suspended_since="2026-12-01", suspends=["marketing"]),
    invented.list_provider(),
    invented.list_provider(id="kumo", name="くも名簿", opt_out=True),
    invented.batch(id="B-GOOD", check=_CHECK),
    invented.batch(id="B-OLD", check=_CHECK, retention_until="2026-12-09"),
    invented.batch(id="B-KEPT", check=_CHECK, retention_until="2026-12-10"),
)


class Someone(NamedTuple):
    """A person's case, and under which policy it is judged."""

    case: Case
    policy: str


def score(stop: Place, place: Place) -> int:
    """Returns how surely a stop of one place meets another place (rules 8.1.37, 8.1.38)."""
    if stop.where != place.where:
        return 0
    if nameless(stop):
        return SURE
    if stop.name is None:
        return SURE if stop.room == place.room else 800
    names = 0
    if place.name and (stop.name == place.name or (place.name == NAME and stop.name in SAME)):
        names = SURE
    elif (place.name == NAME and stop.name in NEAR) or (place.name == SPOUSE and stop.name in FAMILY):
        names = 800
    if stop.room == place.room or not names:
        return names
    return 0 if stop.room and place.room else 800


def _denies(value: Mapping[str, Any]) -> bool:
    return "suppression_id" in value or value.get("state") in ("Withdrawn", "Refused")


def _printed(place: Place) -> dict[str, Any]:
    """Returns a place as it is printed."""
    if nameless(place):
        return {"email" if "@" in place.where else "phone": place.where}
    room = f"-{place.room}" if place.room else ""
    return {"name": place.name or "-", "lines": [f"{place.where}{room}"]}


def _channel(place: Place) -> Channel:
    return "email" if "@" in place.where else "sms" if nameless(place) else "postal"


@cache
def _known_by(place: Place, *, stop: bool, whole: bool) -> dict[str, Any]:
    """Returns token and readings of a place, as an import puts them on file."""
    return invented.known_by(_printed(place), _channel(place), stop=stop, whole=whole)


class Maker:
    """Makes the facts of one person."""

    def __init__(self, draw: Random, number: int) -> None:
        self.draw, self.number = draw, number
        self.person, self.other = f"P-{number}", f"Q-{number}"
        self.events: list[Heard] = []
        self.places: dict[str, Place] = {}
        self.count = 0
        self.room = draw.choice(("", "", "", "101"))
        self.channel = draw.choice(("postal",) * 9 + ("email",) * 3 + ("sms",))
        self.box = "s" if self.channel == "sms" else "m"
        self.name = draw.choice((NAME,) * 6 + (COUPLE,))

    def chance(self, share: float) -> bool:
        return self.draw.random() < share

    def id(self, mark: str) -> str:
        self.count += 1
        return f"{mark}-{self.number}-{self.count}"

    def home(self, which: str) -> str:
        return f"東京都渋谷区神宮前{self.number % GROUP // 10 + 1}-{self.number % 10 + 1}-{1 + (which == 'B')}"

    def known(self, place: Place, *, stop: bool = False, whole: bool = False) -> dict[str, Any]:
        found = _known_by(place, stop=stop, whole=whole)
        self.places.setdefault(found["token"], place)
        return dict(found)

    def place(self, point: str) -> Place:
        if point.startswith("s-"):
            return Place(f"0901{self.number % GROUP:03}000{point[-1]}")
        if point.startswith("m-"):
            return Place(f"box{self.number % GROUP}-{point[-1]}@mail.example")
        if point == "cp-1":
            return Place(self.home("A"), self.room, self.name)
        return Place(self.home("B"), "", NAME)

    def add(self, topic: str, value: dict[str, Any], arrived: datetime | None = None) -> dict[str, Any]:
        value = invented.bare(value)
        if arrived is None:
            recorded = value.get("recorded_at") or value.get("received_at") or value.get("at")
            arrived = min(span(recorded).last, AT - LATE) if recorded else AT - 3 * LATE
            if self.chance(0.15):
                arrived = min(span(self.draw.choice(TIMES)).last, AT - LATE)
        heard = Heard(topic, value, arrived.replace(microsecond=arrived.microsecond // 1000 * 1000))
        self.events.append(heard)
        return value

    def point(self, id_: str, place: Place | None = None, **more: Any) -> dict[str, Any]:
        place = place or self.place(id_)
        channel = _channel(place)
        marked = {} if self.chance(0.15) else {"channel": channel}
        return {"id": id_, **marked, **self.known(place), **more}

    def source(self, *points: str, **fields: Any) -> dict[str, Any]:
        whose = fields.pop("recipient_id", self.person)
        named = fields.pop("contact_points", None)
        made = [self.point(p) for p in points] if named is None else named
        value = invented.source(contact_points=(), **{"source_id": self.id("S"), "recipient_id": whose, **fields})[1]
        value["contact_points"] = made
        if not made:
            del value["contact_points"]
        return self.add("sources", value)

    def yes(self, **fields: Any) -> dict[str, Any]:
        fields = {"record_id": self.id("R"), "recipient_id": self.person, **fields}
        fields.setdefault("event_time", self.draw.choice(TIMES))
        if self.chance(0.15):
            fields["recorded_at"] = self.draw.choice(TIMES)
        return self.add("consents", invented.consent(**fields)[1])

    def varied_yes(self, channel: str, **base: Any) -> dict[str, Any]:
        pick = self.draw.choice
        fields: dict[str, Any] = {"channels": [channel], **base}
        tables: dict[str, Sequence[Any]] = {
            "channels": (["postal"], ["email"], ["postal", "email", "sms"], ["sms"], ["phone"]),
            "purpose": ("mkt.dm", "mkt.dm.group", "mkt.dm.late", "mkt.unheard", "mkt.dm.own"),
            "controller_id": ("C1", "C2", "AOBA", "NOBODY"),
            "contact_point_id": ("cp-1", "cp-2", f"{self.box}-1", f"{self.box}-2", "cp-9"),
            "method": ("web", "phone", "import", "chat", "email_reply", "terminal", "counter"),
            "expressed_by": ("agent", "family", "staff", "import", "guardian"),
            "notice_id": FORMS,
            "evidence_ref": (None,),
            "event_time": (None, *AHEAD, "2026-12-10"),
            "effective_from": ("2026-12-10T10:04:00+09:00", "2026-12-11", "2026-01-01"),
            "effective_to": ("2026-12-09", "2026-12-10", "2026-06-01", "2027-01-01"),
            "double_opt_in": (True,),
            "event_type": ("implied", "explicit"),
            "state": ("RenewedGiven", "Unknown", "Requested"),
        }
        for name in self.draw.sample([*tables], k=pick((0, 0, 0, 1, 1, 2))):
            fields[name] = pick(tables[name])
        if fields.get("event_time", "") is None:
            fields["recorded_at"] = pick(TIMES)
        value = self.yes(**fields)
        if value.get("double_opt_in") and self.chance(0.7):
            self.click(value, method=pick(("doi_confirm", "doi_confirm", "import", "web")))
        return value

    def click(self, begun: Mapping[str, Any], **fields: Any) -> None:
        """Adds what completes a double opt-in, perhaps by somebody else, and perhaps at another time."""
        pick = self.draw.choice
        kept = {name: value for name, value in begun.items() if name not in ("double_opt_in", "v", "kind")}
        changed: dict[str, Any] = {"record_id": self.id("R"), "confirms": begun["record_id"], "method": "doi_confirm"}
        if self.chance(0.3):
            changed["expressed_by"] = pick(("guardian", "guardian", "agent", "subject"))
        if self.chance(0.3):
            changed |= {"event_time": pick(TIMES), "recorded_at": pick(TIMES)}
        if self.chance(0.2):
            changed["evidence_ref"] = pick((None, "scan-2"))
        self.add("consents", {"v": 1, "kind": "consent", **kept, **changed, **fields})

    def began(self, channel: str, **fields: Any) -> None:
        """Adds a double opt-in with its click."""
        self.click(self.yes(**{"channels": [channel], "double_opt_in": True, **fields}))

    def no_id(self, whose: str) -> str:
        """Returns the id of a no, rarely that of another one of the same person."""
        if self.chance(0.05):
            named = (one.value for one in self.events if one.value.get("recipient_id") == whose)
            ids = [one.get("suppression_id") or one["record_id"] for one in named if _denies(one)]
            if ids:
                return str(self.draw.choice(ids))
        return self.id("N")

    def no(self, whose: str | None = None) -> None:
        """Adds a word against mail, of many kinds and scopes."""
        pick, whose = self.draw.choice, whose or self.person
        scope: dict[str, Any] = {}
        if self.chance(0.5):
            name = pick(("controller", "controller", "group", "purpose", "channels", "channels", "contact_point"))
            scope[name] = pick(
                {
                    "controller": ("C1", "C1", "C2", "AOBA", "NOBODY", "X", "LATE", "SIGNED", "*"),
                    "group": ("G1", "G2"),
                    "purpose": OPPOSED,
                    "channels": (["postal"], ["email"], ["postal", "email", "sms"], ["pigeon"], "*"),
                    "contact_point": ("cp-1", "cp-2", f"{self.box}-1", f"{self.box}-2", "cp-9", "*"),
                }[name]
            )
        said = pick((*TIMES, *TIMES, *AHEAD))
        if self.chance(0.5):
            self.stop(whose, scope, said)
            return
        fields: dict[str, Any] = {
            "recipient_id": whose,
            "record_id": self.no_id(whose),
            "state": pick(
                ("Withdrawn", "Withdrawn", "Withdrawn", "Refused", "Refused", "Expired", "Invalidated", "Revoked")
            ),
            "event_time": pick((said, said, said, None)),
            "controller_id": scope.get("controller", "C1"),
            "purpose": scope.get("purpose", pick(("mkt.dm.own", "mkt", None))),
            "channels": scope.get("channels", pick((["postal"], ["email", "sms"], [], "*"))),
            "contact_point_id": scope.get("contact_point"),
            "event_type": pick((None, None, None, None, "implied")),
            "expressed_by": pick(("subject", "subject", "subject", "guardian", "family", "import", "staff")),
            "method": pick(("phone", "web", "import", "paper")),
            "notice_id": None,
            "evidence_ref": None,
        }
        if fields["event_time"] is None or self.chance(0.2):
            fields["recorded_at"] = pick(TIMES)
        if fields["state"] in ("Invalidated", "Revoked") and self.chance(0.5):
            ids = [e.value["record_id"] for e in self.events if e.value.get("kind") == "consent"]
            fields["voids"] = pick([*ids, "R-NONE"])
        self.add("consents", invented.consent(**fields)[1])

    def stop(self, whose: str, scope: dict[str, Any], said: str) -> None:
        pick = self.draw.choice
        kind = pick(
            ("objection",) * 5 + ("cessation", "erasure", "refusal_returned", "deceased", "undeliverable", "external")
        )
        value: dict[str, Any] = {
            "v": 1,
            "kind": kind,
            "suppression_id": self.no_id(whose),
            "received_at": said,
            "scope": scope,
            "expressed_by": pick((None, None, "subject", "guardian")),
            "recorded_at": pick((None, said, said, *TIMES)),
            "effective_at": pick((None, None, None, pick(TIMES))),
            "state": pick(("open", "upheld")) if kind == "cessation" else None,
        }
        if whose == self.person and self.chance(0.5):
            self._of_token(value)
        else:
            value["recipient_id"] = whose
        if kind in ("erasure", "deceased", "external") and self.chance(0.7):
            value["scope"] = {}
        if kind == "objection" and self.chance(0.15):
            value["effective_until"] = pick(
                [d for d in ("2026-12-09", "2026-12-10", "2027-01-31", "2026-06-01") if d >= said[:10]]
                or ["2027-01-31"]
            )
        value = self.add("suppressions", value)
        arrived = self.events[-1].arrived
        if self.chance(0.15):
            by = pick((["hanako", "taro"], ["hanako", "taro"], "kenji"))
            ended = {
                **value,
                "state": "rejected" if kind == "cessation" else "corrected",
                "by": by,
                "evidence_ref": "memo-1",
            }
            if value.get("whole_address") and value.get("by"):
                ended["by"] = value["by"] if len(value["by"]) == 2 else by
            if self.chance(0.15):
                ended["scope"] = {"channels": ["email"]}
            if self.chance(0.15):
                ended.pop("evidence_ref")
            self.add("suppressions", ended, arrived + pick((LATE / 2, LATE / 2, -LATE)))
        if self.chance(0.1):
            by = pick((["hanako", "taro"], "kenji", "kenji"))
            self.person_event("identity_resolved", by=by, of=[value["suppression_id"]])

    def _of_token(self, value: dict[str, Any]) -> None:
        pick = self.draw.choice
        if self.chance(0.25):
            value.update(self.known(self.place(pick((f"{self.box}-1", f"{self.box}-1", f"{self.box}-2"))), stop=True))
            return
        home = self.place(pick(("cp-1", "cp-1", "cp-1", "cp-2")))
        if (self.chance(0.15) and not home.room) or self.chance(0.05):
            value["whole_address"] = True
            value["by"] = pick((None, ["hanako"], ["hanako", "taro"]))
            if self.chance(0.5):
                home = home._replace(room="")
            value.update(self.known(home._replace(name=None), stop=True, whole=True))
            return
        titled = SAME if home.where == self.home("A") and self.channel == "postal" else SAME[:2]
        name = pick((*titled, *NEAR, *NEAR, *APART, SPOUSE, SPOUSE))
        if name == SAME[1]:
            self.places.setdefault(self.known(home._replace(name=NAME), stop=True)["token"], home._replace(name=NAME))
        if name in (NAME, SPOUSE, *APART) and self.chance(0.3):
            home = home._replace(room="" if home.room else "202")
        value.update(self.known(home._replace(name=name), stop=True))

    def person_event(self, kind: str, **fields: Any) -> None:
        at = f"{self.draw.choice(DAYS)}T12:00:00+09:00"
        self.add(
            "consents",
            invented.event(
                **{"kind": kind, "recipient_id": self.person, "record_id": self.id("E"), "at": at, **fields}
            )[1],
        )

    def ask(self, source: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
        pick = self.draw.choice
        days = ("2026-01-10", "2026-03-10", "2026-11-01", "2026-12-01", "2026-12-09")
        route = source.get("route") or source["method"]
        value = {
            "request_id": self.id("A"),
            "recipient_id": self.person,
            "source_id": source["source_id"],
            "template_id": pick(("T-1",) * 6 + ("T-BARE", "T-NONE", "T-MENDED")),
            "stated_route": pick((route,) * 8 + ("broker-z",)),
            "at": f"{pick(days)}T10:00:00+09:00",
            "channel": pick(("postal", "postal", "email")),
            "contact_point": {"id": "cp-1"},
            "controller_id": pick((None, None, "C1", "C2")),
            **fields,
        }
        return self.add("confirmations", invented.ask(**value)[1])

    # -- lanes

    def varied(self, tables: Mapping[str, Sequence[Any]], base: dict[str, Any]) -> dict[str, Any]:
        out = dict(base)
        for name in self.draw.sample([*tables], k=self.draw.choice((0, 0, 0, 0, 1, 1, 2))):
            out[name] = self.draw.choice(tables[name])
        return {name: value for name, value in out.items() if value is not None}

    COMMON: Mapping[str, Sequence[Any]] = {
        "state": ("quarantined", "illicit", "deleted"),
        "acquired_at": (None, "2026-12-10", "2026-12-11", "2026-12-10T10:04:00+09:00", "2025-06-01"),
        "retention_until": ("2026-12-09", "2026-12-10", "2027-01-01"),
        "batch_id": ("B-LEAK", "B-FROZEN", "B-OLD", "B-KEPT", "B-NONE"),
        "may_be_minor": (True,),
        "birth_date": ("1980-04-01", "2009", "2010-12-10", "2010-12-11", "2011-05", "2015-01-01", "1900-01-01"),
        "relationship": ("customer",),
    }

    def points(self, channel: str) -> tuple[str, ...]:
        pick = self.draw.choice
        if channel != "postal":
            first, second = f"{self.box}-1", f"{self.box}-2"
            return pick(((first,), (first, "cp-1"), (first,), (second,), ("cp-1",), ()))
        return pick((("cp-1",), ("cp-1",), ("cp-1", "m-1"), ("cp-1", "cp-2"), ("cp-2",), ()))

    def direct(self, channel: str) -> dict[str, Any]:
        more = {
            "method": ("direct.sweepstake", "direct.business_card", "direct.support_call"),
            "notice_id": (None, "CARD-V1", "POINTS-V1", "LEGACY", "WIDE", "C2-CARD", "NOWHERE", *CHANGED),
            "purposes_told": (["mkt.dm.own"], ["mkt.dm"], ["service.points"]),
            "collected_by": ("C2",),
        }
        return self.source(*self.points(channel), **self.varied({**self.COMMON, **more}, {"notice_id": "OK"}))

    def bought(self, channel: str) -> dict[str, Any]:
        pick = self.draw.choice
        check: dict[str, Any] = dict(_CHECK)
        for name, values in (
            ("checked_at", ("2025-03-31", "2025-04-01", "2024-12-01")),
            ("representative", (None,)),
            ("basis", ("other", "opt_out_filing", None)),
            ("filing_no", ("F-1",)),
            ("chain", (["consent"], ["opt_out"], ["hoshi"], ["kumo"], ["nobody"], ["other"])),
        ):
            if self.chance(0.1):
                check[name] = pick(values)
        base = {
            "method": pick(OTHER),
            "acquired_at": "2025-03-01",
            "notice_id": None,
            "route": pick(("broker-a", "broker-a", None)),
            "check": check,
        }
        more = {
            "shared_at": ("2025-03-10", "2026-01-01"),
            "check": (None,),
            "provided_by": ("BROKER",),
            "business": (True, False),
            "route": ("direct.point_card",),
            "batch_id": ("B-GOOD", "B-GOOD", "B-LEAK", "B-OLD"),
        }
        source = self.source(*self.points(channel), **self.varied({**self.COMMON, **more}, base))
        for _ in range(pick((0, 0, 1, 1, 1, 2))):
            ask = self.ask(source)
            day = ask["at"][:10]
            after = [t for t in TIMES if t > day] or ["2026-12-10T09:30:00+09:00"]
            answer = pick(("yes", "yes", "yes", "no", "none", "returned", "lost"))
            if answer == "yes":
                self.varied_yes(
                    channel, answers=ask["request_id"], event_time=pick(after), notice_id=pick(("OK", None))
                )
            elif answer == "no":
                self.yes(
                    state="Refused",
                    answers=ask["request_id"],
                    event_time=pick(after),
                    notice_id=None,
                    evidence_ref=None,
                    controller_id=(company := pick(("C1", "C2", "C2", "AOBA"))),
                    event_type=pick((None, "implied")),
                    **({"channels": ["email"]} if self.chance(0.3) else {}),
                )
                if self.chance(0.6):
                    later = self.varied_yes if self.chance(0.5) else self.began
                    later(channel, controller_id=pick((company, "C1")), notice_id=pick(("OK", "ROUTE-A")))
            elif answer == "returned":
                self.person_event("ask_undelivered", request_id=ask["request_id"])
        if self.chance(0.3):
            self.varied_yes(channel, notice_id=pick(("ROUTE-A", "ROUTE-BARE", "ROUTE-C2", "ROUTE-NAMES", "OK")))
        return source

    def joint(self, channel: str) -> dict[str, Any]:
        pick = self.draw.choice
        base = {
            "method": "indirect.joint_use",
            "collected_by": "C2",
            "terms_id": "JU",
            "acquired_at": pick(("2021-01-10", "2019-01-10", "2025-06-01")),
            "notice_id": "C2-CARD",
        }
        more = {
            "terms_id": ("JU-CARD", "JU-BARE", "JU-NONE", None, "JU-GROWN", "JU-GROWN", "JU-SIGNED"),
            "notice_id": (None, "C2-BARE", "OK"),
            "collected_by": ("C1", "X"),
            "shared_at": ("2025-05-01", "2020-04-01", "2021-03-01"),
            "purposes_told": (["mkt.dm.own"],),
        }
        source = self.source(*self.points(channel), **self.varied({**self.COMMON, **more}, base))
        self.varied_yes(channel, controller_id=pick(("C2", "C2", "C1")), notice_id="C2-CARD")
        return source

    def succession(self, channel: str) -> dict[str, Any]:
        pick = self.draw.choice
        deal = {
            "predecessor": "AOBA",
            "closed_at": pick(("2023-10-01", "2025-06-01", "2023-10-01", "2026-12-10", "2027-01-01")),
            "old_purposes": pick((["mkt.dm.own"], ["mkt.dm.own"], ["mkt.dm"], ["mkt.dm.food"])),
        }
        base = {
            "method": "indirect.succession",
            "collected_by": "AOBA",
            "notice_id": "AOBA-OWN",
            "succession": deal,
            "acquired_at": pick(("2019-01-10", "2023-01-10")),
        }
        more = {"notice_id": ("AOBA-BARE", None, "AOBA-OK", "OK"), "succession": (None,)}
        source = self.source(*self.points(channel), **self.varied({**self.COMMON, **more}, base))
        self.varied_yes(
            channel, controller_id=pick(("AOBA", "AOBA", "C1")), notice_id=pick(("AOBA-OWN", "AOBA-OWN", "OK"))
        )
        return source

    def entrusted(self, channel: str) -> dict[str, Any]:
        base = {
            "method": "indirect.entrusted",
            "collected_by": "X",
            "entrustment": {"entruster": self.draw.choice(("C1", "C1", "X")), "purposes": ["mkt.dm.own"]},
        }
        return self.source(*self.points(channel), **self.varied(self.COMMON, base))

    def legacy(self, channel: str) -> dict[str, Any]:
        return self.source(*self.points(channel), method="unknown.legacy", notice_id=None)

    def child(self, channel: str) -> None:
        pick = self.draw.choice
        births = ("2009-01-01", "2010-12-10", "2010-12-11", "2011", "2012-06", "2014-01-01")
        self.source(*self.points(channel), birth_date=pick((*births, *births, None)), may_be_minor=pick((None, True)))
        for _ in range(pick((1, 2, 2, 3))):
            self.varied_yes(
                channel,
                expressed_by=pick(("subject", "guardian", "guardian")),
                evidence_ref=pick(("scan-1", "scan-1", None)),
            )
        if self.chance(0.4):
            self.began(channel, expressed_by=pick(("subject", "guardian")))
        if self.chance(0.2):
            self.yes(channels=[channel], controller_id="C2", expressed_by="guardian", notice_id="C2-CARD")

    def another(self) -> None:
        """Adds an id of the same person, or of somebody alike, who said no."""
        pick = self.draw.choice
        place = self.place(pick(("cp-1", "cp-1", "cp-1", "cp-2", f"{self.box}-1")))
        point = f"{self.box}-1" if nameless(place) else pick(("cp-1", "cp-7"))
        if not nameless(place):
            name = pick((NAME, NAME, NAME, NAME, SPOUSE, "佐藤 恵"))
            place = place._replace(name=name, room=pick((place.room, place.room, place.room, "", "202")))
        fields: dict[str, Any] = {"recipient_id": self.other, "state": pick(("active", "active", "deleted", "illicit"))}
        kind = pick(("direct", "direct", "direct", "entrusted", "succession"))
        if kind == "entrusted":
            fields |= {
                "method": "indirect.entrusted",
                "entrustment": {"entruster": pick(("X", "C1")), "purposes": ["mkt.dm.own"]},
            }
        if kind == "succession":
            deal = {"predecessor": "AOBA", "closed_at": "2023-10-01", "old_purposes": []}
            fields |= {"method": "indirect.succession", "collected_by": "AOBA", "succession": deal}
        points = [self.point(point, place)]
        if self.chance(0.3):
            points.append(self.point("m-8", Place(f"other{self.number % GROUP}@mail.example")))
        self.source(contact_points=points, **fields)
        for _ in range(pick((1, 1, 2))):
            self.no(self.other)

    def make(self) -> Someone:
        draw, pick = self.draw, self.draw.choice
        channel = self.channel
        policy = pick(("jp-pmark",) * 8 + ("jp-appi", "jp-appi" if channel == "postal" else EXCEPTED))
        lanes: list[Callable[[str], Any]] = [
            *(self.direct, self.bought, self.joint, self.succession, self.entrusted, self.legacy, self.child),
        ]
        for lane in draw.choices(lanes, weights=(10, 5, 3, 3, 1, 0.3, 2), k=pick((1, 1, 1, 2, 2, 3))):
            lane(channel)
        for _ in range(pick((0, 1, 1, 1, 2, 3))):
            self.varied_yes(channel)
        for _ in range(pick((0, 0, 0, 0, 1, 1, 2))):
            self.no()
        if self.chance(0.2):
            self.another()
        if self.chance(0.05):
            self.person_event("undeliverable_resolved", contact_point_id=pick((None, "cp-1", "cp-2")))
        send = self.send(channel)
        for heard in draw.choices(self.events, k=pick((0, 0, 1))):
            later = min(AT, heard.arrived + timedelta(days=pick((0, 40))))
            self.events.append(heard._replace(arrived=later))
        return Someone(self.case(send, policy), policy)

    def send(self, channel: str) -> dict[str, Any]:
        pick = self.draw.choice
        point = "cp-1" if channel == "postal" else f"{self.box}-1"
        fields: dict[str, Any] = {"message_class": pick(("marketing",) * 16 + ("transactional", "confirmation"))}
        if channel == "sms" and fields["message_class"] == "transactional":
            fields["message_class"] = "marketing"  # no template of such mail is registered for it
        if fields["message_class"] == "marketing":
            fields["purpose"] = pick(("mkt.dm.own",) * 12 + ("mkt.dm.late", "mkt.dm.food"))
            fields["template_id"] = pick(("T-1",) * 20 + ("T-FACE", "T-CHANGED"))
            fields["controller_id"] = pick(("C1",) * 30 + ("C3",))
            if self.chance(0.04):
                fields["audience"] = [pick(AUDIENCES)]
                named = fields["audience"][0]
                if named.isascii() and self.chance(0.7):
                    self.varied_yes(channel, purpose=named, method=pick(("paper", "phone", "qr", "chat")))
            if self.chance(0.01):
                fields["flags"] = ["unfair_effect"]
        if fields["message_class"] == "transactional" and self.chance(0.5):
            fields["template_id"] = pick(("T-WAS-AD", "T-WAS-AD", "T-IS-AD"))
        if fields["message_class"] == "confirmation":
            ids = [
                e.value["source_id"]
                for e in self.events
                if e.topic == "sources" and e.value["recipient_id"] == self.person
            ]
            fields |= {"source_id": pick(ids), "request_id": "A-NEW", "purpose": "mkt.dm.own"}
        if channel == "sms":
            fields["template_id"] = "T-SMS"
        place = self.place(point)
        names = (COUPLE, NAME, SPOUSE) if place.name == COUPLE else (place.name,)
        self.printed = [place._replace(name=name) for name in names]
        shown = _printed(place)
        return invented.send(
            event_id=f"E-{self.number}",
            recipient_id=self.person,
            channel=channel,
            point=point,
            delivery=shown,
            **fields,
        )

    def case(self, send: dict[str, Any], policy: str) -> Case:
        first: dict[bytes, Heard] = {}
        for heard in self.events:
            key = orjson.dumps([heard.topic, heard.value])
            if key not in first or heard.arrived < first[key].arrived:
                first[key] = heard
        duty = policy == "jp-pmark" or send["channel"] != "postal"
        reference = [value for _, value in REFERENCE]
        lenient, excepted = policy != "jp-pmark", policy == EXCEPTED
        everything = [*first.values()]
        return Case(send, self.printed, everything, self.places, reference, AT, duty, lenient, excepted, score)


def someone(seed: int, number: int) -> tuple[Someone, list[Heard]]:
    """Returns a person, and the events in the order and number of the log."""
    maker = Maker(Random(seed * 10_000_019 + number), number)
    found = maker.make()
    events = [*maker.events]
    maker.draw.shuffle(events)
    return found, events


class Judged(NamedTuple):
    """The words of product and law about a person. `released`: after a reviewer's act."""

    number: int
    someone: Someone
    decision: Decision
    law: tuple[str, set[str]]
    released: bool = False

    @property
    def alone(self) -> tuple[frozenset[str], frozenset[str]]:
        """The reasons that the product alone tells, and those that the law alone tells."""
        ours, theirs = frozenset(self.decision.codes), frozenset(self.law[1])
        return ours - theirs, theirs - ours

    @property
    def same(self) -> bool:
        return self.decision.verdict == self.law[0] and not any(self.alone)


class Store:
    """A store of the product with the facts of several people."""

    def __init__(self) -> None:
        self._facts = invented.store(reference=REFERENCE)
        self._offset = 0

    def add(self, heard: Heard) -> None:
        value = orjson.dumps(heard.value)
        headers = staff.corrected(heard.topic, heard.value, at=staff.instant(AT_MS))
        self._offset += 1
        record = Record(heard.topic, 0, self._offset, round(heard.arrived.timestamp() * 1000), None, value)
        fault = self._facts.apply(replace(record, headers=headers))
        assert fault is None, (heard, fault)

    def decide(self, one: Someone) -> Decision:
        send = Send.model_validate_json(orjson.dumps(one.case.send))
        view = invented.view(self._facts, send, at=AT_MS, zone="Asia/Tokyo")
        return invented.decide(send, view, self._facts.reference, _packs(one.policy), AT_MS)


def differences(people: int, seed: int, first: int = 0) -> Iterator[Judged]:
    """Yields every person with what product and law say, and again after a reviewer released what was for review."""
    for start in range(first, first + people, GROUP):
        numbers = range(start, min(start + GROUP, first + people))
        group = {number: someone(seed, number) for number in numbers}
        store = Store()
        for _, events in group.values():
            for heard in events:
                store.add(heard)
        for number, (one, _) in group.items():
            law = Law(one.case)
            judged = Judged(number, one, store.decide(one), law.verdict())
            yield judged
            if judged.same and judged.decision.verdict == "review":
                yield _released(Random(seed * 10_000_019 + number), store, judged, law)


def _released(draw: Random, store: Store, judged: Judged, law: Law) -> Judged:
    """Returns what is said after reviewers released, rightly or not, and perhaps a stop came since."""
    case, had = judged.someone.case, judged.law[1]
    named = frozenset(draw.sample(sorted(had), k=draw.randint(1, len(had)))) if draw.random() < 0.5 else had & REVIEWED
    if draw.random() < 0.1:
        named |= {"NAME_NEAR_STOP"}
    evidence, ago = draw.random() < 0.8, draw.choice((1, 1, 1, 1, 71, 73))
    releases = []
    for by in draw.choice((("hanako",), ("hanako",), ("hanako", "taro"))):
        seen = {code: frozenset().union(*law.pointed.get(code, {}).values()) for code in named}
        one = HeardRelease(frozenset(named), frozenset(had), seen, evidence, by, AT - timedelta(hours=ago))
        releases.append(one)
        act = {
            "recipient_id": case.send["recipient_id"],
            "campaign_id": case.send["campaign_id"],
            "channel": case.send["channel"],
            "decision_id": f"D-{judged.number}",
            "by": by,
            "at": one.at.isoformat(),
            "reasons": sorted(one.named),
            "had": sorted(one.had),
            "seen": {code: [*judged.decision.seen.get(code, ())] for code in sorted(named)},
            "evidence_ref": "memo-1" if evidence else None,
        }
        store.add(Heard("acts", invented.act(**act)[1], one.at))
    events = [*case.events]
    if draw.random() < 0.6:
        stop = _since(draw, judged.number, case)
        store.add(stop)
        if all(stop.value != one.value for one in events):  # a copy is the same word
            events.append(stop)
    someone = judged.someone._replace(case=case._replace(events=events))
    return Judged(judged.number, someone, store.decide(someone), Law(someone.case).verdict(releases), released=True)


def _since(draw: Random, number: int, case: Case) -> Heard:
    """Returns a stop that came after the release: near, sure, or one of before once more, perhaps with a newer date."""
    arrived = AT - timedelta(minutes=5)
    stops = [one for one in case.events if one.topic == "suppressions"]
    if stops and draw.random() < 0.4:
        known = draw.choice(stops)
        ends = known.value.get("effective_until", LATELY) < LATELY
        later = {"received_at": LATELY} if draw.random() < 0.5 and not ends else {}
        return Heard("suppressions", {**known.value, **later}, arrived)
    home = case.printed[0]
    name = draw.choice((*NEAR[1:3], NAME)) if home.name else None
    place = home._replace(name=name)
    found = dict(_known_by(place, stop=True, whole=False))
    case.places.setdefault(found["token"], place)  # type: ignore[attr-defined]
    value = {
        "v": 1,
        "kind": "objection",
        "suppression_id": f"LATER-{number}",
        "received_at": "2026-12-10T09:50:00+09:00",
    }
    return Heard("suppressions", {**value, **found}, arrived)


def main() -> None:
    """Prints how often product and law say what, and each difference by its reasons, with people to look at."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--people", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    args = parser.parse_args()
    verdicts, groups = Counter[tuple[str, ...]](), defaultdict[tuple[str, ...], list[int]](list)
    for judged in differences(args.people, args.seed, first=args.first):
        named = judged.decision.verdict, judged.law[0], "released" if judged.released else "as found"
        verdicts[named] += 1
        if not judged.same:
            ours, theirs = (" ".join(sorted(codes)) for codes in judged.alone)
            groups[*named, f"product ({ours}), law ({theirs})"].append(judged.number)
    for (product, law, when), count in sorted(verdicts.items()):
        print(f"{count} product {product}, law {law}, {when}")
    for (product, law, when, reasons), people in sorted(groups.items(), key=lambda each: -len(each[1])):
        print(f"{len(people)} product {product}, law {law}, {when}: {reasons}, people", *people[:5])


if __name__ == "__main__":
    main()
