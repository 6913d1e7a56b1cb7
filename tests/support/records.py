"""Audit records without Kafka: of the demo's people, of every reason and every stage; with what they name by hash."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from contextlib import suppress
from datetime import date
from functools import cache
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from gatekeeper.demo import addresses
from gatekeeper.demo.retailer import Retailer
from gatekeeper.engine.judged import Judged
from gatekeeper.engine.sends import Judge
from gatekeeper.ground.times import instant
from gatekeeper.identity import Tokens
from gatekeeper.knowledge.store import FactStore
from gatekeeper.policy import packs
from gatekeeper.policy.packs import load
from gatekeeper.policy.reasons import CATALOGUE
from schemas.codec import Unreadable, canonical, decode, encode
from schemas.events import PolicyVersion
from schemas.record import Record
from schemas.topics import DAY_MS, subject_key
from tests.support import invented
from tests.support.desk import BROKER, DELIVERY, TWO, YOUNG, Desk, answered
from tests.support.facts import fact
from tests.support.golden_cases import CASES, events, millis

TODAY = date(2026, 11, 24)


class Named:
    """The data that records name by hash: the shipped policies, and reference data, each value in its order."""

    def __init__(self, reference: Iterable[bytes] = ()) -> None:
        self.policies = {
            one.sha256: packs.shipped_text(one).encode() for all_ in packs.shipped().values() for one in all_
        }
        values = list(reference)
        self.references = invented.by_digest(values)
        for value in values:
            with suppress(Unreadable):
                model = decode("reference", None, value)
                if isinstance(model, PolicyVersion) and model.toml:
                    self.policies[sha256(model.toml.encode()).hexdigest()] = model.toml.encode()

    def keep(self, value: bytes) -> None:
        self.references[sha256(value).hexdigest()] = value

    def policy(self, sha256: str) -> bytes | None:
        return self.policies.get(sha256)

    def reference(self, sha256: str) -> bytes | None:
        return self.references.get(sha256)


class Recorded(Desk):
    """A desk that keeps the bytes of its audit records."""

    def __init__(self, *facts: invented.Event, **more: Any) -> None:
        super().__init__(*facts, **more)
        self.values: list[bytes] = []

    def _written(self, found: Judged, value: bytes | None) -> Judged:
        self.values.append(found.audit)
        return super()._written(found, value)


def named(values: Iterable[dict[str, Any]] = ()) -> Named:
    """Returns what records name of the tests' own reference data, and of further records of it."""
    return Named([orjson.dumps(value) for _, value in invented.REFERENCE] + [orjson.dumps(value) for value in values])


def of_case(case: dict[str, Any]) -> tuple[bytes, list[bytes]]:
    """Returns the record of one golden case as a worker would write it, and the reference data of that."""
    reference, facts = events(case)
    store = invented.store(*facts, reference=reference)
    judge = Judge(load(case.get("policy", "jp-pmark")), 8, tokens=invented.TOKENS, subjects=invented.SUBJECTS)
    at = millis(case["at"]) if "at" in case else invented.T
    record = Record("mail.sends.v1", 3, 7, at, None, orjson.dumps(invented.send(**case.get("send", {}))))
    as_of = millis(case["as_of"]) if "as_of" in case else None
    return judge.judge(record, store, at, as_of=as_of).audit, [orjson.dumps(value) for _, value in reference]


@cache
def first_of_demo(seed: int = 7, *, count: int) -> tuple[tuple[bytes, ...], Named]:
    """Returns the records of a send to each of so many people of the demo, and what they name."""
    retailer = Retailer(people=count, seed=seed, today=TODAY)
    reference = [encode(value) for _, value in retailer.reference()]
    tokens = Tokens({1: addresses.KEY})
    desk = Recorded(judge=Judge(load("jp-pmark"), 8, tokens=tokens, subjects=invented.SUBJECTS, judge_misplaced=True))
    desk.store = FactStore()
    for offset, value in enumerate(reference):
        assert desk.store.apply(fact("reference", 0, offset, None, value)) is None
    for offset, (topic, model) in enumerate(retailer.facts()):
        assert desk.store.apply(fact(topic, 0, offset, subject_key(topic, model).encode(), encode(model))) is None
    for number, send in enumerate(islice(retailer.sends(count), count)):
        desk.send(orjson.loads(encode(send)))
        if number % 100 == 1:
            desk.learn(invented.suppression(recipient_id=send.recipient_id, suppression_id=f"X-{number}"))
    return tuple(desk.values), Named(reference)


def of_every_kind() -> tuple[list[bytes], Named]:
    """Returns few records that have every reason and every stage between them, and what they name."""
    values, found, left = [], named(), set(CATALOGUE)
    for case in CASES.values():
        codes = set(case.get("reasons", ()))
        if codes & left or not values:
            value, reference = of_case(case)
            left -= codes
            values.append(value)
            found.references |= invented.by_digest(reference)  # each case has its own versions
    for desk in (_young(), _two(), _asked(), _failing(), _erased()):
        values += desk.values
    return values, found


def _young() -> Recorded:
    """Released, handed off, called back, cancelled; acts that are refused or cannot be read."""
    desk = Recorded(*YOUNG)
    desk.send()
    desk.act("note")
    desk.act("redecide", act_id="r-0")
    desk.act("release", act_id="release")
    desk.act("release", 0, act_id="r-2")
    desk.act("undo", 1, act_id="u-1", undoes="release")
    desk.judged(b'{"v":1,"kind":"release"}')
    desk.send(event_id="E-2")
    desk.act("release", act_id="r-3")
    desk.send(event_id="E-3")
    desk.campaign("handoff")
    desk.campaign("handoff", act_id="handoff-2", again=True)
    desk.send(event_id="E-4", campaign_id="K-2")
    desk.act("release", act_id="r-4")
    desk.learn(invented.suppression())
    desk.weigh()
    desk.send({"v": 1})
    return desk


def _two() -> Recorded:
    """Proposed and approved, also in bulk; upheld; called back at the hand-off, and by a person's word."""
    desk = Recorded(*TWO)
    desk.send()
    desk.act("release", evidence_ref="scan-9")
    desk.act("approve", by="taro")
    desk.send(event_id="E-2", campaign_id="K-2")
    desk.act("uphold", act_id="u-1")
    bulk = Recorded(*YOUNG)
    bulk.send()
    bulk.act("release", bulk=101)
    bulk.act("approve", by="taro")
    clear = Recorded(invented.source(), invented.consent())
    clear.send()
    clear.learn(invented.suppression())
    clear.campaign("handoff")
    again = Recorded(invented.source(), invented.consent())
    again.send()
    again.campaign("cancel")
    desk.values += bulk.values + clear.values + again.values
    return desk


def _asked() -> Recorded:
    """Asked, and sent once the answer is there."""
    desk = Recorded(invented.source(**BROKER))
    desk.send(delivery=DELIVERY)
    desk.act("ask")
    desk.act("redecide", act_id="r-1")
    desk.at += 10 * DAY_MS
    desk.learn(answered(desk))
    desk.reconsider()
    return desk


def _failing() -> Recorded:
    """A defect of ours, a fact that cannot be read, and a shadow."""

    class Broken(FactStore):
        def view(self, *_: Any, **__: Any) -> Any:
            raise ValueError

    desk = Recorded(invented.source(), invented.consent())
    desk.store = Broken()
    desk.send()
    shadow = Recorded(
        invented.source(),
        invented.consent(),
        judge=Judge(load("jp-pmark"), 8, "shadow", tokens=invented.TOKENS, judge_misplaced=True),
    )
    shadow.send()
    shadow.act("note")
    bad = Recorded(invented.source(), invented.consent())
    bad.store.apply(fact("consents", 0, 99, b"P-1", b"{"))
    bad.send()
    desk.values += shadow.values + bad.values
    return desk


def _erased() -> Recorded:
    """Erased, and readmitted."""
    desk = Recorded(invented.source(), invented.consent())
    desk.send()
    for kind in ("erase", "readmit"):
        act = {"v": 1, "kind": kind, "act_id": kind, "at": instant(desk.at), "by": "hanako", "recipient_id": "P-1"}
        desk.judged(act)
        desk.send(event_id=kind, campaign_id="K-9")
    return desk


def export(folder: Path, values: list[bytes], names: Named, *, size: int = 50) -> Path:
    """Writes the records as an export of one partition holds them, unsigned, so many a manifest a minute."""
    for name in ("records", "manifests", "policies", "reference"):
        (folder / name).mkdir(parents=True)
    said = {"v": 1, "made": instant(invented.T), "group": "mail.gatekeeper", "partitions": 1, "from": None, "to": None}
    (folder / "export.json").write_bytes(canonical(said))
    manifests = []
    for number, first in enumerate(range(0, len(values), size)):
        held = values[first : first + size]
        audit = {"n": len(held), "from_id": orjson.loads(held[0])["did"]}
        value = canonical({"audit": audit, "t1": instant(invented.T + 60_000 * number), "asof": {}}).decode()
        manifests.append(canonical({"index": None, "offset": 2 * number, "sig": "", "value": value}))
    for name, lines in (("records", values), ("manifests", manifests)):
        (folder / name / "0.ndjson.gz").write_bytes(gzip.compress(b"".join(line + b"\n" for line in lines), 1))
    for digest, text in names.policies.items():
        (folder / "policies" / f"{digest}.toml").write_bytes(text)
    for digest, value in names.references.items():
        (folder / "reference" / f"{digest}.json").write_bytes(value)
    return folder
