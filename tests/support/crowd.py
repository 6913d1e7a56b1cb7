"""Invented people drawn from a seed, and what is decided of a send to each: the same on every machine and Python.

What is decided of them is locked (`tests.support.kept_rules`). So this file changes only together with the rules.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from random import Random
from typing import Any

import msgspec
import orjson

from gatekeeper.deciding.decide import Decision, decide
from gatekeeper.deciding.facts import Facts
from gatekeeper.deciding.plan import Plans
from gatekeeper.deciding.redacted import redacted
from gatekeeper.deciding.reference import Reference
from gatekeeper.deciding.rules.system import Cleared
from gatekeeper.ground.times import LONG_AGO
from gatekeeper.identity import printed
from gatekeeper.knowledge.store import FactStore
from gatekeeper.policy.packs import NEVER, STRICTEST, Packs, PolicyOutage, load
from gatekeeper.policy.policy import TUNABLE, Policy
from schemas.events import Send
from tests.support import invented
from tests.support.facts import fact

WRITTEN = (
    {"name": "高橋 一郎", "lines": ["東京都渋谷区神宮前1-2-3"]},
    {"name": "髙橋 一郎 様", "lines": ["東京都渋谷区神宮前一丁目２番３号 みどりハイツ101"]},
    {"name": "斎藤 一郎", "lines": ["東京都渋谷区神宮前9-9-9"]},
)
TIMES = ("2023-01-01", "2024-05-01T00:00:00+09:00", "2025-06-01", "2026-10-30", "2026-11-23T10:00:00+09:00")
METHODS = (
    *("direct.point_card", "direct.ec_signup", "direct.support_call", "direct.observed"),
    *("indirect.purchased_list", "indirect.partner", "indirect.joint_use", "indirect.entrusted"),
    *("indirect.succession", "indirect.referral", "public.directory", "public.web", "unknown.legacy"),
)
CHECKED = {"checked_at": "2025-03-03", "name": "A", "address": "B", "representative": "C", "how_obtained": "D"}
CHECKS = (
    None,
    {**CHECKED, "basis": "consent"},
    {**CHECKED, "basis": "opt_out_filing", "filing_no": "F-1"},
    {**CHECKED, "basis": "opt_out_filing", "filing_no": "F-1", "chain": ["opt_out"]},
    {"name": "A"},
)
STOPS = ("objection", "cessation", "erasure", "refusal_returned", "deceased", "undeliverable", "external")
RELEASED = ("AGE_UNCERTAIN", "NAME_NEAR_STOP", "SOURCE_CONFLICT", "CREATIVE_PERSON_UNRELEASED", "CONSENT_MISSING")
SOURCES, CONSENTS, ASKS = (0, *[1] * 24, *[2] * 5), (0, 0, *[1] * 8, 2, 2), (*[0] * 12, 1, 1, 2)
"""Possible numbers of facts of each kind that one person has."""
PACKS = (*["jp-pmark"] * 40, *["jp-appi"] * 20, *["aging", "lenient"] * 2, "unreadable", "looser", "not yet")
"""By which packs somebody is judged: one of these."""
POOL = 1_000
DAY = 86_400_000


class Draw:
    """Draws by `Random.random` alone, which Python promises to keep."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed).random

    def one(self, *of: Any) -> Any:
        """Returns one of these."""
        return self.of(of)

    def of(self, some: Sequence[Any]) -> Any:
        """Returns one of a list."""
        return some[int(self._random() * len(some))]

    def often(self, share: float) -> bool:
        """Returns True in that share of calls."""
        return self._random() < share

    def fields(self, share: float, **of: tuple[Any, ...]) -> dict[str, Any]:
        """Returns that share of the fields, each with one of its values."""
        return {name: self.one(*values) for name, values in of.items() if self.often(share)}


def decisions(seed: int, count: int) -> Iterator[Decision]:
    """Yields what is decided of a send to each of so many people."""
    crowd = _Crowd(Draw(seed))
    for _ in range(count):
        yield crowd.decided()


class _Crowd:
    """People put together from events that are drawn and encoded once."""

    def __init__(self, draw: Draw) -> None:
        self._draw = draw
        self._plans: list[Plans] = []
        self._sends = [Send.model_validate_json(orjson.dumps(_send(draw))) for _ in range(POOL)]
        self._sources, self._consents, self._asks = (
            [self._made(make, n) for n in (0, 1)] for make in (_source, _consent, _ask)
        )
        self._stops, self._events, self._releases = (self._made(make, 0) for make in (_stop, _event, _release))

    def _made(self, make: Callable[[Draw, int], invented.Event], number: int) -> list[tuple[str, bytes]]:
        return [_encoded(make(self._draw, number)) for _ in range(POOL)]

    def decided(self) -> Decision:
        """Returns what is decided of a send to the next of them, of some after a release of just that."""
        draw, store = self._draw, FactStore()
        which = draw.one(*["usual"] * 44, "suspended", "resumed", *["speechless"] * 3)
        store.log.reference = _reference(which)
        for place, (topic, value) in enumerate(self._facts()):
            assert store.apply(fact(topic, 0, place, None, value)) is None, value
        send, packs = draw.of(self._sends), _packs(draw.of(PACKS))
        at_point = printed(None if draw.often(0.05) else invented.TOKENS, send, trusting=draw.often(0.5))
        erased = invented.T - 30 * DAY if draw.often(0.01) else None
        asks = self._remembered(self._asks[0], 0.08)
        releases = self._remembered(self._releases, 0.03)
        at = invented.T - (900 * DAY if draw.often(0.01) else 0)
        now: dict[str, Any] = {"at": at, "zone": packs.zone(send.contact_point.country, at)}
        view = store.view(send, at_point, **now, asks=asks, releases=releases, erased=erased)
        if draw.often(0.01):
            view = msgspec.structs.replace(view, unreadable=(draw.one("consents/0/9", "consents/0/9/*"),))
        as_of = invented.T - draw.one(1_000, 10 * DAY) if draw.often(0.02) else None
        checkpoint, clearance = (
            draw.one("intake", "intake", "handoff"),
            Cleared("D-9", "E-1") if draw.often(0.03) else None,
        )

        plan = self._planned(store.reference, packs, at).of(send, checkpoint)

        def judge(facts: Facts) -> Decision:
            return decide(plan, send, facts, as_of=as_of, clearance=clearance)

        found = judge(view)
        if found.reasons and draw.often(0.7 if found.verdict == "review" else 0.08):
            line = self._release_of(found, send.channel)
            return judge(store.view(send, at_point, **now, asks=asks, releases=line, erased=erased))
        return found

    def _planned(self, reference: Reference, packs: Packs, at: int) -> Plans:
        """Returns the plans that others under the same conditions had too: what is locked was decided without any."""
        found = next((one for one in self._plans if one.serve(reference, packs, at)), None)
        if found is None:
            found = Plans(reference, packs, at)
            self._plans.append(found)
        return found

    def _remembered(self, pool: list[tuple[str, bytes]], share: float) -> bytes:
        """Returns what the ledger of a worker remembers beside the facts, in its redacted form."""
        return _redacted(*self._draw.of(pool)) if self._draw.often(share) else b""

    def _release_of(self, found: Decision, channel: str) -> bytes:
        """Returns a release of all reasons of a decision, or of one more or less."""
        draw = self._draw
        codes = [*dict.fromkeys(found.codes)]
        named = draw.one(codes, codes, codes, codes, codes[1:], [*codes, "AGE_UNCERTAIN"])
        fields = draw.fields(
            0.25,
            by=(["hanako", "taro"],),
            at=("2026-10-24", "2026-11-25"),
            bulk=(100, 101, None),
            campaign_id=("K-1", "K-2"),
        )
        given = invented.act(reasons=named, channel=channel, evidence_ref=draw.one(None, "m-1"), **fields)
        undone = [invented.act(kind="release_revoked", channel=channel)] if draw.often(0.1) else []
        return b"\n".join(sorted(_redacted(*_encoded(one)) for one in (given, *undone)))

    def _facts(self) -> Iterator[tuple[str, bytes]]:
        draw = self._draw
        for pools, counts in ((self._sources, SOURCES), (self._consents, CONSENTS), (self._asks, ASKS)):
            for number in range(draw.of(counts)):
                yield draw.of(pools[number])
        for pool, share in ((self._stops, 0.12), (self._events, 0.1), (self._releases, 0.06)):
            if draw.often(share):
                yield draw.of(pool)


def _encoded(event: invented.Event) -> tuple[str, bytes]:
    return event[0], orjson.dumps(event[1])


def _redacted(topic: str, value: bytes) -> bytes:
    return redacted(topic, orjson.loads(value))[0]


@cache
def _packs(which: str) -> Packs:
    """Returns shipped packs, or those of `jp-pmark` as settings, a laxer law or an outage may leave them."""
    if which in ("jp-pmark", "jp-appi"):
        return load(which)
    packs = load("jp-pmark")
    if which == "aging":
        months = {"consent_max_age_months": 24, "source_max_age_months": 36, "ask_again_months": 2}
        return _with(packs, four_eyes_bulk=None, **months)
    if which == "lenient":
        return _with(packs, off=frozenset(TUNABLE), consent_channels=frozenset({"email"}), minor_age=12)
    if which == "not yet":
        return _with(packs, since=NEVER)
    id_, case, what = (
        (packs.home[0].id, "unreadable", "reference/0/9") if which == "unreadable" else (STRICTEST, "looser", "ask_cap")
    )
    return dataclasses.replace(packs, bars=(PolicyOutage(id_, LONG_AGO.first, NEVER, case, what),))  # type: ignore[arg-type]


def _with(packs: Packs, **changed: Any) -> Packs:
    def made(versions: tuple[Policy, ...]) -> tuple[Policy, ...]:
        return tuple(dataclasses.replace(one, **changed) for one in versions)

    return dataclasses.replace(packs, home=made(packs.home), strictest=made(packs.strictest))


@cache
def _reference(which: str) -> Reference:
    changed = {
        "usual": (),
        "suspended": (invented.controller(suspended_since="2026-11-01"),),
        "resumed": (invented.controller(suspended_since="2026-11-01", suspended_until="2026-11-10"),),
        "speechless": tuple(invented.template(id=id_, notice_id="OK", ask_complete=False) for id_ in ("T-1", "T-FACE")),
    }
    return invented.store(*changed[which]).reference


@cache
def _known_by(written: int, *, stop: bool = False) -> dict[str, Any]:
    return invented.known_by(WRITTEN[written], stop=stop)


def _ask(draw: Draw, number: int) -> invented.Event:
    fields = draw.fields(
        0.3,
        at=("2026-10-01", "2026-10-24T10:00:00+09:00", "2026-11-22"),
        template_id=("T-BARE", "T-9"),
        stated_route=("broker-b", "direct.point_card"),
        channel=("email",),
    )
    return invented.ask(request_id=f"Q-{number}", **fields)


def _event(draw: Draw, _: int) -> invented.Event:
    kind = draw.one("ask_undelivered", "notice_given", "undeliverable_resolved", "identity_resolved")
    named = {"ask_undelivered": {"request_id": "Q-0"}, "notice_given": {"source_id": "S-0"}}
    return invented.event(kind=kind, **named.get(kind, {}))


def _release(draw: Draw, _: int) -> invented.Event:
    fields = draw.fields(0.4, at=("2026-11-20", "2026-11-24T09:00:00+09:00"), bulk=(101,), evidence_ref=("memo-1",))
    return invented.act(reasons=list({draw.one(*RELEASED): None, draw.one(*RELEASED): None}), **fields)


def _source(draw: Draw, number: int) -> invented.Event:
    method = draw.one(*["direct.point_card"] * 24, *METHODS)
    fields = draw.fields(
        0.06,
        notice_id=("CARD-V1", "POINTS-V1", "LEGACY", "ROUTE-A", "PRETICKED", "NOWHERE", None),
        collected_by=("C2", "AOBA"),
        acquired_at=(*TIMES, None),
        purposes_told=(["mkt.dm.own"],),
        batch_id=("B-SAKURA", "B-LEAK", "B-FROZEN"),
        provided_by=("X",),
        last_contact_at=TIMES,
    )
    if draw.often(0.03):
        fields["notice_id"] = "PRETICKED"
    fields |= draw.fields(
        0.04,
        state=("deleted", "illicit", "quarantined"),
        may_be_minor=(True, False),
        birth_date=("2015", "2001-02-28", "2008-06-01", "1900-01-01"),
    )
    fields |= draw.fields(0.8 if method.startswith(("indirect", "public")) else 0.1, check=CHECKS, route=("broker-a",))
    if method == "indirect.joint_use":
        fields["terms_id"] = draw.one("JU", "JU", "JU-CARD", "JU-BARE", "NOWHERE", None)
        fields |= draw.fields(0.4, shared_at=("2021-04-01", "2026-01-01"))
    if method == "indirect.succession":
        fields["succession"] = {
            "predecessor": draw.one("C2", "AOBA"),
            "closed_at": "2023-10-01",
            "old_purposes": draw.one([], ["mkt.dm.own"]),
        }
    if method == "indirect.entrusted":
        fields["entrustment"] = {"entruster": draw.one("C1", "C2"), "purposes": ["mkt.dm.own"]}
    event = invented.source(
        source_id=f"S-{number}",
        method=method,
        channel=draw.one(*["postal"] * 16, "email", "email", "sms"),
        contact_points=draw.one(*[["cp-1"]] * 9, ["cp-1", "cp-2"], ["cp-2"]),
        **fields,
    )
    for point in event[1]["contact_points"]:
        if draw.often(0.15):
            point |= _known_by(draw.one(0, 0, 1, 2))
        elif method == "indirect.entrusted" and draw.often(0.3):
            point["derived_from"] = "C2"
    return event


def _consent(draw: Draw, number: int) -> invented.Event:
    state = draw.one(
        *["Given"] * 32, "RenewedGiven", "Withdrawn", "Refused", "Refused", "Invalidated", "Expired", "Requested"
    )
    fields = draw.fields(
        0.06,
        event_time=(*TIMES, None),
        controller_id=("C2",),
        purpose=("service.points", "mkt.dm"),
        contact_point_id=("cp-1", "cp-2"),
        notice_id=("CARD-V1", "PRETICKED", "NOWHERE", None),
        evidence_ref=(None,),
        expressed_by=("guardian", "agent", "family", "staff", "import"),
        method=("web", "import"),
        answers=("Q-0", "Q-1"),
        effective_from=("2026-12-20", "2025-01-01"),
        effective_to=("2026-11-01", "2027-11-01"),
        double_opt_in=(True, False),
        event_type=("implied", "explicit"),
    )
    if draw.often(0.04):
        fields["notice_id"] = None  # then that of the source counts
    if state in ("Withdrawn", "Refused") and draw.often(0.5):
        fields["answers"] = draw.one("Q-0", "Q-0", "Q-1")
    if draw.often(0.3):
        fields["channels"] = draw.one(["email"], ["postal", "email"], ["postal", "email", "sms"])
    if number and draw.often(0.4):
        fields |= {"method": "doi_confirm", "confirms": "R-0"}
    return invented.consent(record_id=f"R-{number}", state=state, **fields)


def _stop(draw: Draw, _: int) -> invented.Event:
    fields = draw.fields(
        0.25,
        received_at=TIMES,
        state=("active", "corrected", "open", "upheld", "rejected"),
        scope=(
            {"controller": "C2"},
            {"group": "G1"},
            {"purpose": "mkt", "channels": ["email"]},
            {"contact_point": "cp-1"},
        ),
        expressed_by=("subject", "guardian", "import"),
    )
    named = draw.one({}, {}, {"token": "cp-1"}, {"token": "cp-9"})
    event = invented.suppression(kind=draw.one(*STOPS), **named, **fields)
    if "token" in named and draw.often(0.3):
        event[1].update(_known_by(draw.one(0, 1, 2), stop=True))
    return event


def _send(draw: Draw) -> dict[str, Any]:
    channel = draw.one(*["postal"] * 16, "email", "email", "sms")
    fields = draw.fields(
        0.02,
        purpose=("mkt.dm.finance", "mkt.dm.food", "service.points", "nowhere"),
        controller_id=("C2", "X", "C9"),
        country=("GB", None),
        template_id=("T-BARE", "T-FACE", "T-9"),
        audience=(["health.diabetes"], ["seg.big_spenders"], ["purchase.diabetic_test_strips"]),
        flags=(["unfair_effect"],),
        mail_date=("2026-12-20", "2027-01-24"),
        message_class=("transactional", "safety_legal", "rights_reply"),
    )
    if draw.often(0.1):
        fields |= {"message_class": "confirmation", "source_id": draw.one("S-0", "S-0", "S-7"), "request_id": "Q-9"}
    if draw.often(0.15):
        fields["match"] = [{"token": "cp-9", "score": draw.one(0, 700, 899, 900)}]
    if draw.often(0.15):
        fields["delivery"] = draw.one(*WRITTEN, {"name": "高橋 一郎"}, {**WRITTEN[0], "name": "・"})
    elif draw.often(0.15):
        fields["stated"] = "cp-1"
    return invented.send(channel=channel, point=draw.one(*["cp-1"] * 19, "cp-2"), **fields)
