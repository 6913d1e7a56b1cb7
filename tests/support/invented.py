"""Invented events for tests: everything needed is filled in, and a test names only what matters to it."""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date
from functools import cache
from hashlib import sha256
from io import BytesIO
from itertools import chain, count
from typing import Any

import orjson
from pydantic import BaseModel

from gatekeeper.audit.records.pseudonym import Subjects
from gatekeeper.deciding.decide import Decision
from gatekeeper.deciding.decide import decide as planned
from gatekeeper.deciding.facts import Facts
from gatekeeper.deciding.plan import Plans
from gatekeeper.deciding.reference import Reference
from gatekeeper.deciding.release import releasable
from gatekeeper.deciding.rules.system import Checkpoint, Cleared
from gatekeeper.deciding.versions import Version
from gatekeeper.identity import Tokens, printed, stated, stops_of
from gatekeeper.knowledge.store import FactStore
from gatekeeper.policy.packs import Packs
from gatekeeper.staff.endorsements import Referred
from schemas.codec import Unreadable, decode
from schemas.events import Delivery, Resolution, Send
from schemas.events.sends import ADDRESSED
from schemas.record import Record
from schemas.values import Channel
from tests.support import staff
from tests.support.facts import T as T
from tests.support.facts import fact

KEY = bytes(range(32))
KEYS = {1: KEY, 2: KEY[::-1]}
"""Token keys; facts name the first unless they say `key: 2`."""
TOKENS = Tokens({1: KEY})
_SALTS = count()
SUBJECTS = Subjects({1: KEY}, lambda size: sha256(b"%d" % next(_SALTS)).digest()[:size])
NOW: dict[str, Any] = {"at": T, "zone": "Asia/Tokyo"}
"""The instant and time zone of a view."""

Event = tuple[str, dict[str, Any]]
"""Topic (registry name) and value."""


@cache
def written(point: str) -> dict[str, Any]:
    """Returns the invented name, address, mailbox and number of a contact point: each point is somebody's home."""
    most = 990 if "." in point else 90  # of many people no two have one home
    a, b, c = (int(sha256(f"{point}/{part}".encode()).hexdigest()[:4], 16) % most + 1 for part in "abc")
    return {
        "name": "見本 花子",
        "postcode": "999-0001",
        "lines": [f"緑山県若葉市青葉町{a}-{b}-{c}"],
        "email": f"{point.lower()}@mail.example",
        "phone": f"0999{a:02}{b:02}{c:02}",
    }


def home(point: str, recipient_id: str = "P-1") -> str:
    """Returns the home that a contact point names: each person but P-1 has homes of their own."""
    return point if recipient_id == "P-1" else f"{recipient_id}.{point}"


@cache
def gate(*keys: int) -> Tokens:
    """Returns the tokens of a gate that holds these keys."""
    return Tokens({key: KEYS[key] for key in keys})


@cache
def token(point: str, channel: Channel = "postal", key: int = 1) -> str:
    """Returns the token of a contact point, of its home if not of another channel."""
    found = gate(key).of(channel, Delivery.model_validate_json(orjson.dumps(written(point))))
    return found.token if found else "t1_" + sha256(point.encode()).hexdigest()[:43]


def known_by(
    written: dict[str, Any], channel: Channel = "postal", *, stop: bool = False, whole: bool = False
) -> dict[str, Any]:
    """Returns token and readings of a contact value as it is written, as an import puts them on file.

    Those of a source have what is beside them too; a stop has not. `whole`: those of the address without the name.
    """
    delivery = Delivery.model_validate_json(orjson.dumps({"name": "-", **written}))
    found = TOKENS.whole_address(delivery) if whole else TOKENS.of(channel, delivery)
    assert found, written
    readings = [{"token": one, "score": score} for one, score in found.readings]
    texts = {"beside": [*chain(*found.beside)], "further": [*found.given]} if not stop else {}
    return {"token": found.token, "readings": readings, **{name: hashes for name, hashes in texts.items() if hashes}}


def accepted(written: dict[str, Any]) -> list[str]:
    """Returns the hashes by which one of the staff accepts the text beside name and address."""
    found = TOKENS.of("postal", Delivery.model_validate_json(orjson.dumps({"name": "-", **written})))
    assert found, written
    return [*found.lines[0]] if found.lines else []


def bare(value: dict[str, Any]) -> dict[str, Any]:
    """Drops what is None, and writes days as text."""
    return {k: v.isoformat() if isinstance(v, date) else v for k, v in value.items() if v is not None}


SERVICE = {"purpose": "service.orders", "template_id": "T-SERVICE"}
"""Further fields of a send that is no advertisement."""
BY_CLASS: dict[str, dict[str, str]] = {
    "transactional": SERVICE,
    "safety_legal": {**SERVICE, "ground": "recall"},
    "rights_reply": {**SERVICE, "ground": "dsr.7"},
}


def send(
    *, country: str | None = "JP", point: str = "cp-1", stated: str | None = None, key: int = 1, **fields: Any
) -> dict[str, Any]:
    """Returns a send that prints the address of its contact point; with `delivery=None` it names the token instead.

    `stated`: the contact point whose token it names beside what it prints; `key`: of that token. Purpose, template and
    ground agree with the class unless the test names them.
    """
    match = [{**one, "token": token(one["token"])} for one in fields.pop("match", ())]
    channel = fields.get("channel", "postal")
    whose = fields.get("recipient_id", "P-1")
    shown = fields.pop("delivery", written(home(point, whose)) if channel in ADDRESSED else None)
    named = token(home(stated or point, whose), channel, key) if stated or not shown else None
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
            "contact_point": bare({"id": point, "token": named, "country": country}),
            "template_id": "T-1",
            "match": match,
            "delivery": shown,
            **BY_CLASS.get(fields.get("message_class", ""), {}),
            **fields,
        }
    )


def _point(named: str | dict[str, Any], channel: Channel, recipient_id: str) -> dict[str, Any]:
    point = {"id": named} if isinstance(named, str) else dict(named)
    channel, other = point.pop("channel", channel), point.pop("token", home(point["id"], recipient_id))
    key = point.pop("key", 1)
    if marked := point.pop("marked", None):
        point["channel"] = marked
    if written := point.pop("written", None):
        return {**point, **known_by(written, channel)}
    return {**point, "token": token(other, channel, key)}


BOUGHT = ("indirect.purchased_list", "indirect.partner", "indirect.personal_related")


def source(
    *, contact_points: Iterable[str | dict[str, Any]] = ("cp-1",), channel: Channel = "postal", **fields: Any
) -> Event:
    """Returns a source; `channel`: of its contact points, as far as these do not say.

    A contact point without `token` or `written` is a home of the source's person (`home`).
    """
    value = {
        "v": 1,
        "source_id": "S-1",
        "recipient_id": "P-1",
        "method": "direct.point_card",
        "collected_by": "C1",
        "acquired_at": "2025-03-01" if fields.get("method") in BOUGHT else "2018-04-01",
        "notice_id": "OK",
        "contact_points": [_point(point, channel, fields.get("recipient_id", "P-1")) for point in contact_points],
        **fields,
    }
    for part in ("check", "succession"):
        if value.get(part):
            value[part] = bare(value[part])
    return "sources", bare(value)


def consent(**fields: Any) -> Event:
    """A consent, recorded when it was expressed unless the fields say otherwise."""
    if fields.get("event_time") and "recorded_at" not in fields:
        fields["recorded_at"] = fields["event_time"]
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


def consenting(name: str) -> tuple[Event, ...]:
    """Returns the source and the consent of somebody of that name."""
    ids = {"source_id": f"S-{name}", "recipient_id": name}
    return source(**ids), consent(record_id=f"R-{name}", recipient_id=name)


def withdrawn(name: str) -> Event:
    """Returns the word by which somebody of that name takes back everything."""
    return consent(record_id=f"N-{name}", recipient_id=name, state="Withdrawn", purpose="*", channels="*",
                   notice_id=None, event_time="2026-11-24T09:59:30+09:00")  # fmt: skip


def suppression(*, channel: Channel = "postal", **fields: Any) -> Event:
    """Returns a stop; `channel`: of the contact point that its `token` names.

    With `whole_address`, `written` is the address of everybody there. `row`: the stop of this person of a list's row.
    """
    row = fields.pop("row", None)
    token_of, written, key = fields.pop("token", None), fields.pop("written", None), fields.pop("key", 1)
    named = {"token": token(token_of, channel, key)} if token_of else {"recipient_id": "P-1"}
    value = {
        "v": 1,
        "kind": "objection",
        "suppression_id": "X-1",
        "received_at": "2026-01-01T10:00:00+09:00",
        **(known_by(written, stop=True, whole=bool(fields.get("whole_address"))) if written else named),
        **(OF_MANAGERS if fields.get("state") in ("corrected", "rejected") else {}),
        **fields,
    }
    if row and written:
        delivery = Delivery.model_validate_json(orjson.dumps({"name": "-", **written}))
        said = stated(TOKENS, "postal", delivery, everybody=bool(fields.get("whole_address")))
        value |= {"readings": [], **stops_of(value, said)[row - 1]}
    elif row:
        value["row"] = row
    return "suppressions", bare(value)


NOTICE_ITEMS: dict[str, Any] = {
    "manager": "見本 花子",
    "department": "お客様情報管理室",
    "contact": "電話 0120-000-000",
    "purposes": {"mkt.dm.own": "当社の商品と催事のご案内"},
    "provision": "none",
    "outsourcing": True,
    "window": "お客様相談室 privacy@midori.example",
    "reply": {"postal": "同封のはがきにご記入のうえ、ご返送ください", "email": "https://midori.example/answer"},
}


def controller(**fields: Any) -> Event:
    return "reference", bare({"v": 1, "kind": "controller", "id": "C1", "name": "みどり小売", "group": "G1", **fields})


MANAGERS = ["hanako", "taro"]
OF_MANAGERS = {"by": MANAGERS, "evidence_ref": "minutes-1"}
"""Fields of what takes a no away, as the rules ask for them (rule 8.1.40)."""


def purpose(*, marketing: bool = True, **fields: Any) -> Event:
    id_ = fields["id"]
    value = {"v": 1, "kind": "purpose", "name_ja": f"目的 {id_}", "name_en": f"purpose {id_}"}
    by = None if marketing else MANAGERS
    return "reference", bare({**value, "marketing": marketing, "by": by, **fields})


def audience_phrase(**fields: Any) -> Event:
    value = {"v": 1, "kind": "audience_phrase", "id": "P-1", "reason": "見本の品名で、病歴ではない", "by": MANAGERS}
    return "reference", bare({**value, **fields})


def notice(**fields: Any) -> Event:
    value = {"v": 1, "kind": "notice", "id": "OK", "controller_id": "C1", "purposes": ["mkt.dm.own"], "complete": True}
    return "reference", bare({**value, **fields})


def template(**fields: Any) -> Event:
    shown = {
        "marketing": ["postal", "email"],
        "confirmation": ["postal", "email"],
    }
    value = {"v": 1, "kind": "template", "id": "T-1", "display_ok": shown, "ask_complete": True}
    return "reference", bare({**value, **fields})


def ask(**fields: Any) -> Event:
    value = {
        "v": 1,
        "request_id": "Q-1",
        "recipient_id": "P-1",
        "source_id": "S-0",
        "contact_point": {"id": "cp-1", "token": token("cp-1")},
        "channel": "postal",
        "template_id": "T-1",
        "stated_route": "broker-a",
        "at": "2026-11-14T10:00:00+09:00",
    }
    return "confirmations", bare({**value, **fields})


def event(**fields: Any) -> Event:
    if text := fields.pop("text", None):
        fields["further"] = accepted(text)
    stated = {
        "print_accepted": {"by": "kenji", "evidence_ref": "memo-1", "contact_point_id": "cp-1", "record_id": "LOOK-1"},
        "identity_resolved": {"by": "kenji", "evidence_ref": "memo-1", "of": ["X-0"]},
        "undeliverable_resolved": {"by": "crm", "evidence_ref": "scan-1"},
        "request_received": {"record_id": "E-R", "request_id": "7", "asked": "disclosure", "by": "kenji"},
    }.get(fields.get("kind", ""), {})
    return "consents", bare({"v": 1, "recipient_id": "P-1", "at": "2026-11-20T10:00:00+09:00", **stated, **fields})


def act(**fields: Any) -> Event:
    value = {
        "v": 1,
        "kind": "release",
        "recipient_id": "P-1",
        "campaign_id": "K-1",
        "channel": "postal",
        "decision_id": "D-1",
        "by": "hanako",
        "reason": "looked at the form",
        "at": "2026-11-23T10:00:00+09:00",
        "evidence_ref": "memo-1",
        "bulk": 1,
    }
    return "acts", bare({**value, **fields})


def escaped(value: Any) -> bytes:
    """Returns JSON as an encoder may write it as well: each letter an escape, and spaces between."""

    def letters(written: re.Match[str]) -> str:
        units = json.loads(written[0]).encode("utf-16-be").hex()
        return '"' + re.sub("....", lambda unit: f"\\u{unit[0]}", units) + '"'

    return re.sub(r'"(?:[^"\\]|\\.)*"', letters, json.dumps(value)).encode()


def named_item(
    value: bytes | None, headers: Mapping[str, bytes] | Iterable[tuple[str, Any]], partition: int, offset: int
) -> dict[str, Any]:
    """Returns how an act names an item of the review queue, by its record there."""
    sent, said = orjson.loads(value or b""), dict(headers)
    decision = orjson.loads(said["gate-decision"])
    had = [reason["code"] for reason in decision["reasons"]]
    return {
        **{name: sent[name] for name in ("recipient_id", "campaign_id", "channel")},
        **{"decision_id": decision["id"], "review": {"partition": partition, "offset": offset}},
        **{"reasons": [code for code in had if releasable(code)], "had": had},
        "seen": orjson.loads(said.get("gate-seen", b"{}")),
    }


def item_act(kind: str, item: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Returns an act about an item of the review queue, as `told` of a desk or a reader names it."""
    named = {name: item[name] for name in item if name not in ("reasons", "had", "seen") or kind == "release"}
    if kind == "release":
        named |= {"bulk": 1, "evidence_ref": "memo-1"}
    value = {
        "v": 1,
        "kind": kind,
        "act_id": f"{kind}-1",
        "by": "hanako",
        "reason": "looked at the form",
        "at": "2026-11-24T09:59:00+09:00",
        **named,
        **fields,
    }
    return bare(value)


def terms(**fields: Any) -> Event:
    value = {
        "v": 1,
        "kind": "joint_use_terms",
        "terms_id": "JU",
        "version": 1,
        "published_at": "2020-04-01",
        "parties": ["C1", "C2"],
        "purposes": ["mkt.dm.own"],
        "complete": True,
    }
    return "reference", bare({**value, **fields})


def batch(**fields: Any) -> Event:
    if check := fields.get("check"):
        fields["check"] = bare(check)
    return "reference", bare({"v": 1, "kind": "batch", "id": "B-1", **fields})


def resolution(**fields: Any) -> Event:
    value = {"v": 1, "kind": "resolution", "id": "Z-1", "by": MANAGERS, "evidence_ref": "minutes-1"}
    more = {} if str(fields.get("of")).startswith("purpose/") else {"version": 1}
    return "reference", bare({**value, **more, "at": "2026-11-20T10:00:00+09:00", **fields})


def list_provider(**fields: Any) -> Event:
    value = {"v": 1, "kind": "provider", "id": "hoshi", "name": "ほし名簿", "opt_out": False, "by": MANAGERS}
    return "reference", bare({**value, **fields})


def feed(**fields: Any) -> Event:
    value = {"v": 1, "kind": "feed", "id": "crm", "topic": "consents", "controllers": ["C1"], "rhythm": "P1D"}
    stated = {"limit": "P2D", "owner": "kenji", "counted": True, "recorded_at": "2026-11-01T09:00:00+09:00"}
    return "reference", bare({**value, **stated, **fields})


def delivery(**fields: Any) -> Event:
    value = {"v": 1, "kind": "delivery", "delivery_id": "F-0", "feed": "crm", "at": "2026-11-24T06:00:00+09:00"}
    return "consents", bare({**value, "count": 0, "recorded_at": "2026-11-24T06:05:00+09:00", **fields})


def ground(**fields: Any) -> Event:
    value = {"v": 1, "kind": "ground", "id": "recall", "by": "hanako", "evidence_ref": "minutes-1"}
    return "reference", bare({**value, "at": "2026-11-20T10:00:00+09:00", **fields})


def gap(feed: str, *controllers: str, **fields: Any) -> Event:
    value = {"v": 1, "kind": "gap", "gap_id": "restored-1", "feed": feed, "since": "2026-11-20T10:00:00+09:00"}
    more = {"recorded_at": "2026-11-21T10:00:00+09:00", "controllers": [*controllers]}
    return "consents", bare({**value, **more, **fields})


CHECK = {
    "checked_at": "2025-03-03",
    "name": "さくら名簿センター株式会社",
    "address": "緑山県若葉市青葉町9-9-9",
    "representative": "代表取締役 見本太郎",
    "how_obtained": "通販の購入者名簿",
    "basis": "opt_out_filing",
    "filing_no": "F-2025-0311",
}

PURPOSES: tuple[Event, ...] = (
    *(purpose(id=f"mkt.dm.{name}") for name in ("own", "group", "food", "cosmetics", "finance")),
    *(purpose(id=id_) for id_ in ("mkt.confirm", "food.news")),
    *(
        purpose(id=f"service.{name}", marketing=False)
        for name in ("orders", "delivery", "points", "survey", "card", "brochure")
    ),
    purpose(id="safety.recall", marketing=False),
)
REFERENCE: tuple[Event, ...] = (
    controller(notice_items=NOTICE_ITEMS),
    *PURPOSES,
    controller(id="C2", name="みどりカード"),
    notice(name="ポイントカード申込書 2018"),
    notice(id="CARD-V1", complete=False),
    notice(id="POINTS-V1", purposes=["service.points"], complete=False),
    notice(id="LEGACY", complete=False, accepted_legacy=True),
    resolution(of="notice/LEGACY"),
    notice(id="ROUTE-A", states_route="broker-a"),
    notice(id="PRETICKED", invalidated_at="2024-02-01"),
    notice(id="C2-CARD", controller_id="C2"),
    notice(id="AOBA-OK", controller_id="AOBA", purposes=["mkt.dm.food"]),
    controller(id="AOBA", name="旧あおば商店", group=None),
    controller(id="X", name="ほしぞら食品", group=None),
    template(notice_id="OK"),
    template(id="T-BARE", ask_complete=False),
    template(id="T-SERVICE", display_ok={class_: ["postal", "email"] for class_ in BY_CLASS}, ask_complete=False),
    template(id="T-FACE", persons=[{"release": "MR-1"}, {}]),
    terms(),
    terms(terms_id="JU-CARD", parties=["C2"]),
    terms(terms_id="JU-BARE", complete=False),
    terms(terms_id="JU", version=2, published_at="2025-04-01", purposes=["mkt.dm.own", "mkt.dm.finance"]),
    batch(id="B-SAKURA", name="通販購入者名簿", check=CHECK),
    batch(id="B-LEAK", flags=["leak"]),
    batch(id="B-FROZEN", state="quarantined"),
    ground(),
    ground(id="tax"),
)


def by_digest(values: Iterable[bytes]) -> dict[str, bytes]:
    """Returns what snapshots may name of these reference records, by SHA-256."""
    found, whole = {}, Reference()
    for value in values:
        found[sha256(value).hexdigest()] = value
        with suppress(Unreadable):
            model = decode("reference", None, value)
            if not isinstance(model, Resolution):
                versions = whole.put(model, value, fact("reference", 0, 0, None, value).timestamp)
                found[sha256(versions).hexdigest()] = versions
    return found


def view(store: FactStore, send: Send, **more: Any) -> Facts:
    """Returns the facts that bear on a send, what it prints being compared as the worker does."""
    return store.view(send, printed(TOKENS, send), **{**NOW, **more})


def decide(
    send: Send,
    facts: Facts,
    reference: Reference,
    packs: Packs,
    at: int,
    *,
    as_of: int | None = None,
    checkpoint: Checkpoint = "intake",
    clearance: Cleared | None = None,
) -> Decision:
    """Returns the decision on a send under a plan of its own."""
    return planned(Plans(reference, packs, at).of(send, checkpoint), send, facts, as_of=as_of, clearance=clearance)


def store(*events: Event, reference: Sequence[Event] = REFERENCE) -> FactStore:
    """Returns a store with the events applied; every one of them must be readable."""
    common, more = reference[: len(REFERENCE)], reference[len(REFERENCE) :]
    # most tests begin alike, and a copy of a store costs a twentieth of applying it all
    found = _referring(orjson.dumps(common)).copy()
    _applied(found, (*more, *events), start=len(common))
    return found


@cache
def _referring(reference: bytes) -> Copied:
    """Returns a store with these reference records applied, to be copied; what is asked for is few."""
    found = FactStore()
    _applied(found, orjson.loads(reference))
    return Copied(found)


class Copied:
    """A store of which copies are taken: what never changes in it is the same in all of them."""

    def __init__(self, whole: FactStore) -> None:
        data = BytesIO()
        pickler = _Pickler(data)
        pickler.dump(whole)
        self._data, self._same = data.getvalue(), pickler.same

    def copy(self) -> FactStore:
        found: FactStore = _Unpickler(BytesIO(self._data), self._same).load()
        return found


class _Pickler(pickle.Pickler):
    """Leaves out what never changes, and keeps it in `same`."""

    def __init__(self, data: BytesIO) -> None:
        super().__init__(data)
        self.same: dict[int, Any] = {}

    def persistent_id(self, one: object) -> int | None:
        if not isinstance(one, BaseModel | Record | Referred | Version):
            return None
        self.same[id(one)] = one
        return id(one)


class _Unpickler(pickle.Unpickler):
    def __init__(self, data: BytesIO, same: dict[int, Any]) -> None:
        super().__init__(data)
        self.persistent_load = same.__getitem__  # type: ignore[method-assign]


def _applied(found: FactStore, events: Iterable[Event], start: int = 0) -> None:
    for offset, (topic, value) in enumerate(events, start):
        record = fact(topic, 0, offset, None, orjson.dumps(value))
        fault = found.apply(replace(record, headers=staff.corrected(topic, value, at=staff.instant(T))))
        assert fault is None, (topic, fault)
