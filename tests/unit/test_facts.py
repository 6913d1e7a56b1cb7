"""The store takes readable, unreadable, too many, and resolved records."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import orjson
import pytest

from gatekeeper.deciding.decide import Decision
from gatekeeper.deciding.snapshot import read_snapshot
from gatekeeper.ground.tables import SPOILT, MemoryTables
from gatekeeper.knowledge.store import FactStore
from gatekeeper.policy.packs import load
from schemas.events import Send
from schemas.record import Refusal
from streams.worker.kept_facts import FORMAT
from tests.support import invented
from tests.support.facts import fact
from tests.support.invented import decide


def send(**fields: Any) -> Send:
    return Send.model_validate_json(orjson.dumps(invented.send(**fields)))


def decided(store: FactStore, **fields: Any) -> Decision:
    one = send(**fields)
    return decide(one, invented.view(store, one), store.reference, load("jp-pmark"), invented.T)


def clear_store() -> FactStore:
    return invented.store(invented.source(terms_id="JU"), invented.consent())


UNREADABLE = [
    ("cut off, named by its key", "consents", b"P-1", b'{"v":1,"kind":'),
    ("named with escapes", "consents", None, b'{"recipient\\u005fid":"P-1"}'),
    (
        "a token inside, named with escapes",
        "sources",
        None,
        invented.escaped({"points": [{"token": invented.token("cp-1")}]}),
    ),
    ("named twice", "consents", None, b'{"recipient_id":"P-1","recipient_id":"P-2"}'),
    ("filed under another key", "suppressions", b"P-2", orjson.dumps(invented.suppression()[1])),
    ("by the token of its value", "suppressions", None, orjson.dumps({"token": invented.token("cp-1"), "kind": "x"})),
    ("a controller's tombstone", "reference", b"controller/C1", None),
    ("a notice, by its value", "reference", None, b'{"kind":"notice","id":"OK"}'),
]


@pytest.mark.parametrize(("name", "topic", "key", "value"), UNREADABLE, ids=[bad[0] for bad in UNREADABLE])
def test_unreadable_fact_applied_then_withholds_whom_it_names_until_resolved(
    name: str, topic: str, key: bytes | None, value: bytes | None
) -> None:
    store = clear_store()
    store.apply(fact("consents", 0, 50, b"P-2", b"{"))
    assert decided(store).verdict == "clear", "an unreadable fact of another withholds nobody else"
    assert store.unresolved.resolve(("consents", 0, 50), "hanako")
    fault = store.apply(fact(topic, 2, 77, key, value))

    assert fault
    assert "P-1" not in fault
    assert store.unresolved.faults == {(topic, 2, 77): fault}
    assert store.unresolved.counts == {"everybody": 0, "named": 1, "nobody": 0}
    found = decided(store)
    assert found.codes == ("FACTS_UNAVAILABLE",)
    assert found.reasons[0].facts == (f"{topic}/2/77",)

    resolution = {"v": 1, "kind": "resolution", "id": "r", "by": "pm", "reason": "-", "at": "2026-11-24T10:00:00+09:00"}
    place = {"topic": f"mail.{topic}.v1", "partition": 2, "offset": 77}
    assert store.apply(fact("reference", 0, 900, None, orjson.dumps({**resolution, **place}))) is None
    assert decided(store).verdict == "clear"
    assert store.unresolved.faults == {}
    assert store.apply(fact(topic, 2, 77, key, value)) == fault
    assert decided(store).verdict == "clear", "read again after its resolution"


@pytest.mark.parametrize("key", [None, b"\xff", b"090-0000-0000"])
def test_unreadable_fact_that_names_nobody_then_all_are_withheld_but_for_reference(key: bytes | None) -> None:
    store = clear_store()
    store.apply(fact("reference", 0, 51, key, b'{"kind":"notice"}'))
    assert decided(store).verdict == "clear"
    store.apply(fact("consents", 0, 50, key, b"{"))
    assert decided(store).reasons[0].facts == ("consents/0/50/*",)
    assert store.unresolved.counts == {"everybody": 1, "named": 0, "nobody": 1}


@pytest.mark.parametrize(
    ("cap", "events"),
    [
        (64, lambda n: invented.source(source_id=f"S-{n}")),
        (256, lambda n: invented.consent(record_id=f"R-{n}")),
        (256, lambda n: invented.suppression(suppression_id=f"X-{n}", scope={"controller": "C2"})),
    ],
    ids=["sources", "consents", "suppressions"],
)
def test_more_facts_than_count_then_unavailable_and_none_before(cap: int, events: Any) -> None:
    store = clear_store()
    topic = events(0)[0]
    for n in range(1, cap):
        store.apply(fact(topic, 0, n, None, orjson.dumps(events(n)[1])))
    assert decided(store).verdict == "clear"
    for n in range(cap, cap + 2):
        store.apply(fact(topic, 0, n, None, orjson.dumps(events(n)[1])))
    found = decided(store)
    assert found.codes == ("FACTS_UNAVAILABLE",)
    assert found.reasons[0].facts == (f"too_many/{topic}",)


def test_more_known_than_a_record_holds_then_unavailable_and_the_record_short() -> None:
    store, long, points = clear_store(), "x" * 60, [f"p-{at}" for at in range(32)]
    stops = [
        invented.suppression(suppression_id=f"{at:02}{n:02}{long}", received_at="2026-01-01", token=points[at])
        for at in range(32)
        for n in range(90)
    ]
    for n, (topic, value) in enumerate([invented.source(contact_points=points), *stops]):
        assert store.apply(fact(topic, 0, n, None, orjson.dumps(value))) is None
    one = send()
    view = store.view(one, "no_key", **invented.NOW, erased=7)
    found = decide(one, view, store.reference, load("jp-pmark"), invented.T)
    assert found.codes == ("FACTS_UNAVAILABLE",)
    assert "too_many/facts" in found.reasons[0].facts
    assert (len(view.snapshot) < 4096, view.printed, view.erased) == (True, "no_key", 7)
    assert read_snapshot(view.snapshot) == view


def test_controller_read_again_from_an_older_record_then_the_newer_holds() -> None:
    store = clear_store()
    frozen = orjson.dumps(invented.controller(suspended_since="2026-11-01")[1])
    store.apply(fact("reference", 0, 500, None, frozen))
    store.apply(fact("reference", 0, 0, None, orjson.dumps(invented.controller()[1])))
    assert decided(store).codes == ("SENDING_SUSPENDED",)


class Held(MemoryTables):
    """Tables that a test can look into and spoil."""

    def __init__(self) -> None:
        self.opened: dict[str, dict[str, bytes]] = {}

    def table(self, name: str) -> dict[str, bytes]:
        return self.opened.setdefault(name, {})

    journal = table


def held(*events: invented.Event) -> tuple[Held, FactStore]:
    """Returns tables, and the store over them with the reference data and these events."""
    tables = Held()
    store = FactStore(tables=tables)
    for offset, (topic, value) in enumerate((*invented.REFERENCE, *events)):
        assert store.apply(fact(topic, 0, offset, None, orjson.dumps(value))) is None
    return tables, store


@pytest.mark.parametrize("table", ["people", "tokens"])
def test_facts_that_changed_on_the_disk_then_they_withhold_and_nothing_is_added(table: str) -> None:
    harmless = invented.suppression(token="cp-1", scope={"controller": "C2"})
    tables, store = held(invented.source(), invented.consent(), harmless)
    assert decided(store).verdict == "clear"
    for name in tables.opened[table]:
        tables.opened[table][name] = SPOILT
    found = decided(store)
    assert found.codes == ("FACTS_UNAVAILABLE",)
    assert found.reasons[0].facts == ("spoilt/facts",)
    assert store.may_name("P-1", {b"nobody"}) is (table == "people")
    for topic, value in (invented.consent(record_id="R-2"), harmless):
        store.apply(fact(topic, 0, 900, None, orjson.dumps(value)))
    assert set(tables.opened[table].values()) == {SPOILT}


def test_the_form_of_the_tables_then_it_is_that_of_the_format() -> None:
    no = invented.consent(record_id="R-2", state="Withdrawn", purpose="mkt.nowhere")
    stop, gave = invented.suppression(token="cp-1"), invented.event(kind="notice_given", source_id="S-1")
    tables, store = held(invented.source(birth_date="2001"), invented.consent(), no, stop, gave)
    store.apply(fact("consents", 0, 900, b"P-9", b"{"))
    store.apply(fact("consents", 0, 901, None, orjson.dumps(invented.gap("method/web", "C1")[1])))
    store.save()
    rows = sorted((table, *row) for table, rows in tables.opened.items() for row in rows.items())
    digest = sha256(repr(rows).encode()).hexdigest()[:16]
    assert (FORMAT, digest) == (11, "21c1618d66231a36"), (
        "raise streams.worker.kept_facts.FORMAT, as stored tables no longer fit"
    )


def refused(fault: str = "batch_corrupt", *, base: int, what: str = "batch") -> Refusal:
    return Refusal(fault, "00" * 32, what=what, base=base)


def seen(store: FactStore, person: str) -> tuple[str, ...]:
    return invented.view(store, send(recipient_id=person)).unreadable


def test_a_batch_that_nobody_can_read_then_everybody_is_withheld_until_resolved() -> None:
    store = invented.store(invented.source(), invented.consent())
    faults = [store.apply(fact("consents", 1, offset, None, None, refused(base=7))) for offset in (7, 8, 9)]
    assert faults == ["batch_corrupt", None, None], "one fault, however many records"
    assert seen(store, "P-1") == seen(store, "P-9") == ("consents/1/7/*",)
    assert store.unresolved.withhold_everybody
    assert orjson.loads(store.person("P-1"))["unreadable"] == ["consents/1/7/*"]
    resolution = {"v": 1, "kind": "resolution", "id": "x", "topic": "consents", "partition": 1, "offset": 7, "by": "pm"}
    resolution |= {"reason": "entered again", "at": "2026-01-01T09:00:00+09:00"}
    for order in (store, invented.store()):  # read again after a restart the resolution may come first
        order.apply(fact("reference", 0, 50, None, orjson.dumps(resolution)))
        order.apply(fact("consents", 1, 7, None, None, refused(base=7)))
        assert seen(order, "P-1") == ()
        assert not order.unresolved.withhold_everybody


def test_an_unreadable_record_naming_hundreds_then_beyond_the_bound_all_are_withheld(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = invented.store()
    value = b"".join(b'"recipient_id":"Q-%d",' % number for number in range(200))
    assert store.apply(fact("consents", 0, 90, None, value)) is not None
    assert [bool(seen(store, f"Q-{number}")) for number in (0, 63, 64, 199)] == [True, True, False, False]
    assert store.apply(fact("consents", 0, 91, b"Q-199", value + b" " * 70_000)) is not None
    assert seen(store, "Q-198") == ()
    assert seen(store, "Q-199") == ("consents/0/91",)
    monkeypatch.setattr("gatekeeper.knowledge.unresolved.WITHHELD", 100)
    assert store.apply(fact("consents", 0, 92, None, value)) is not None
    assert seen(store, "somebody") == ("consents/0/92/*",)
