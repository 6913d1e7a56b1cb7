"""A person asked on real Kafka: one request, a yes that lets the held send go out, a no, and silence."""

import asyncio
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from gatekeeper.confirmation import code as codes
from gatekeeper.confirmation.answers import Questions
from gatekeeper.ground.partitioner import partition_of
from gatekeeper.ledger.entries import asked
from gatekeeper.ledger.salts import PULSE
from schemas.codec import decode, encode
from streams.worker import reevaluation
from streams.worker.clock import Clock
from tests.support import invented as facts
from tests.support.world import World, eventually, home_of, send_to, token_of

DAY_MS = 86_400_000
LIST = ("batch/B-1", {"v": 1, "kind": "batch", "id": "B-1", "name": "通販購入者名簿", "check": facts.CHECK})


@pytest.fixture
def world(kafka, prefix) -> World:
    found = World(kafka.bootstrap, prefix, partitions=2).create().may_ask()
    found.put("reference", [LIST])
    return found


def bought(world: World, *names: str, token: str | None = None) -> None:
    """Gives each a source that a broker sold. `token`: of the address; None for one of each person."""
    for name in names:
        source = {
            "v": 1,
            "source_id": f"s-{name}",
            "recipient_id": name,
            "method": "indirect.purchased_list",
            "acquired_at": "2025-03-10",
            "collected_by": "broker-a",
            "batch_id": "B-1",
            "contact_points": [{"id": f"cp-{name}", "token": token or token_of(name)}],
        }
        world.put("sources", [(name, source)])


def ask(world: World) -> None:
    """Asks about every item of the review queue."""
    for event, item in world.items().items():
        world.act("ask", item, act_id=f"ask-{event}")


def asks(world: World) -> list:
    return [decode("confirmations", message.key(), message.value()) for message in world.read("confirmations")]


def answer(world: World, name: str, said: str) -> None:
    """Puts the consent event of a card that came back yesterday, found by its code in the ledger."""
    (code,) = {ask.answer_code for ask in asks(world) if ask.recipient_id == name}
    entries = [(m.key(), m.value()) for m in world.read("ledger") if m.value() is not None]
    questions = Questions([ask for key, value in entries if (ask := asked(key, value))], [])
    row = {"code": codes.shown(code), "answer": said, "date": now(), "evidence_ref": "scan-1"}
    consent = questions.answer(row, now=now(), zone="Asia/Tokyo")
    world.put("consents", [(name, encode(consent))])


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def primary(world: World) -> dict[str, str]:
    return {event: code for event, (_, code) in world.verdicts().items()}


def outcomes(world: World) -> list[str]:
    return sorted(record.act.outcome for record in world.acted().values())


def test_asks_then_one_request_each_and_a_yes_clears_and_a_no_withholds_for_good(world):
    bought(world, "yes", "no")
    world.put("sends", [(name, send_to(name, name)) for name in ("yes", "no")])

    async def run() -> None:
        async with world.worker():
            await eventually(lambda: len(world.read("review")) == 2, "two items")
            ask(world)
            ask(world)  # the same acts again
            await eventually(lambda: len(world.acted()) == 4, "four answers to the acts")
            answer(world, "no", "no")
            answer(world, "yes", "yes")
            await eventually(lambda: len(world.read("cleared")) == 1, "the send of who said yes")
            world.put("sends", [(name, send_to(name, f"{name}-again")) for name in ("yes", "no")])
            await eventually(lambda: len(world.audits()) == 2 + 4 + 1 + 2, "later sends")

    asyncio.run(run())
    assert {ask.recipient_id for ask in asks(world)} == {"yes", "no"}
    assert len(asks(world)) == 2
    assert outcomes(world) == ["asked", "asked", "cleared", "refused", "refused"]
    assert primary(world) == {
        "e-yes": "THIRD_PARTY_UNCONFIRMED",
        "e-no": "THIRD_PARTY_UNCONFIRMED",
        "e-yes-again": None,
        "e-no-again": "CONSENT_REFUSED",
    }
    cleared = next(m for m in world.read("cleared") if orjson.loads(m.value())["event_id"] == "e-yes")
    assert cleared.value() in {m.value() for m in world.read("sends")}
    world.check(4)


def test_a_person_asked_under_one_id_then_under_no_other_by_whichever_worker(world):
    """The ids stand on both partitions. Another worker starts before the third, beside an open transaction."""
    one, other, late = (
        next(f"{letter}{n}" for n in range(99) if partition_of(f"{letter}{n}".encode(), 2) == at)
        for letter, at in (("p", 0), ("q", 1), ("r", 1))
    )

    async def asked_of(name: str) -> None:
        bought(world, name, token=token_of("p"))
        before = len(world.acted())
        world.put("sends", [(name, send_to(name, name, delivery=home_of("p")))])
        await eventually(lambda: f"e-{name}" in world.items(), "an item")
        world.act("ask", world.items()[f"e-{name}"], act_id=f"ask-{name}")
        await eventually(lambda: len(world.acted()) == before + 1, "an answer")

    async def run(*names: str) -> None:
        async with world.worker():
            for name in names:
                await asked_of(name)

    asyncio.run(run(one, other))
    with world.transaction() as through:
        world.put("asked", [("asked/p9/Q-0", {"v": 1})], through, partition=1)
        asyncio.run(run(late))
        through.abort_transaction(30)
    assert outcomes(world) == ["asked", "refused", "refused"]
    assert [ask.recipient_id for ask in asks(world)] == [one]
    told = {record.send["event_id"]: record.reasons[0].code for record in world.audits() if record.act and record.send}
    assert {told[f"e-{other}"], told[f"e-{late}"]} == {"CONFIRMATION_CAP_REACHED"}
    (entry,) = (one for one in world.read("asked") if one.key() != PULSE)
    assert entry.key() == f"asked/{one}/{asks(world)[0].request_id}".encode()
    assert orjson.loads(entry.value())["tokens"] == [token_of("p")]
    world.check(3)


def test_given_a_yes_while_no_worker_runs_then_the_next_one_clears_the_send_once(world):
    bought(world, "p1")
    world.put("sends", [("p1", send_to("p1"))])

    async def asked() -> None:
        async with world.worker():
            await eventually(lambda: world.read("review"), "an item")
            ask(world)
            await eventually(lambda: world.acted(), "the act")

    async def answered() -> None:
        async with world.worker():
            await eventually(lambda: world.read("cleared"), "the send")
            world.put("reference", [LIST])  # touches everybody who still waits: nobody
            world.put("sends", [("p1", send_to("p1", "later"))])
            await eventually(lambda: len(world.audits()) == 4, "a later send")

    asyncio.run(asked())
    answer(world, "p1", "yes")
    asyncio.run(answered())
    assert outcomes(world) == ["asked", "cleared"]
    world.check(2)


@pytest.mark.parametrize("running", [True, False], ids=["at once", "after a restart"])
def test_given_items_that_nobody_asked_about_then_a_yes_clears_them_too(world, running):
    others = [f"o{number}" for number in range(300)]
    bought(world, "p1", *others)
    world.put("sends", [("p1", send_to("p1", "before")), ("p1", send_to("p1", "asked"))])

    async def withheld() -> None:
        await eventually(lambda: len(world.read("review")) == 2, "two items")
        world.act("ask", world.items()["e-asked"])
        await eventually(lambda: world.acted(), "the act")
        sends = [*((name, send_to(name, name)) for name in others), ("p1", send_to("p1", "pending"))]
        world.put("sends", sends)
        await eventually(lambda: len(world.read("review")) == 303, "items made while the question is open")

    async def cleared() -> None:
        await eventually(lambda: len(world.read("cleared")) == 3, "three sends")

    async def run() -> None:
        async with world.worker():
            await withheld()
            if running:
                answer(world, "p1", "yes")
                await cleared()
        if not running:
            answer(world, "p1", "yes")
            async with world.worker():
                await cleared()

    asyncio.run(run())
    assert {orjson.loads(m.value())["event_id"] for m in world.read("cleared")} == {"e-before", "e-asked", "e-pending"}
    assert primary(world)["e-pending"] == "CONFIRMATION_PENDING"
    assert outcomes(world) == ["asked", "cleared", "cleared", "cleared"]
    world.check(303)


def test_given_silence_then_pending_and_after_the_window_lapsed_by_time_alone(world, monkeypatch):
    bought(world, "p1")
    world.put("sends", [("p1", send_to("p1", "first"))])
    right = Clock.now

    async def asked() -> None:
        async with world.worker():
            await eventually(lambda: world.read("review"), "an item")
            ask(world)
            await eventually(lambda: world.acted(), "the act")
            world.put("sends", [("p1", send_to("p1", "soon"))])
            await eventually(lambda: len(world.audits()) == 3, "a send in the window")

    async def a_month_later() -> None:
        async with world.worker():
            world.put("sends", [("p1", send_to("p1", "late"))])
            await eventually(lambda: len(world.audits()) == 4, "a send after it")

    asyncio.run(asked())
    monkeypatch.setattr(Clock, "now", lambda self: right(self) + 31 * DAY_MS)
    monkeypatch.setattr(Clock, "observe", lambda *_, **__: None)  # the broker stays behind
    asyncio.run(a_month_later())
    assert primary(world) == {
        "e-first": "THIRD_PARTY_UNCONFIRMED",
        "e-soon": "CONFIRMATION_PENDING",
        "e-late": "CONFIRMATION_LAPSED",
    }
    assert len(asks(world)) == 1
    world.check(3)


def test_given_a_yes_that_counts_only_later_then_time_alone_clears_the_send(world, monkeypatch):
    monkeypatch.setattr(reevaluation, "AGAIN_SECONDS", 0.1)
    bought(world, "p1")
    world.put("sends", [("p1", send_to("p1"))])

    async def run() -> None:
        async with world.worker():
            await eventually(lambda: world.read("review"), "an item")
            ask(world)
            await eventually(lambda: world.acted(), "the act")
            (asked,) = asks(world)
            # the next send is to be judged before that: ten seconds, for a busy machine
            soon = (datetime.now(UTC) + timedelta(minutes=5, seconds=10)).isoformat(timespec="milliseconds")
            _, consent = facts.consent(
                recipient_id="p1", notice_id="N1", answers=asked.request_id, event_time=soon, record_id="R-9"
            )
            world.put("consents", [("p1", consent)])
            world.put("sends", [("p1", send_to("p1", "meanwhile"))])
            await eventually(lambda: len(world.read("cleared")) == 2, "both sends, once the yes counts")

    asyncio.run(run())
    assert outcomes(world) == ["asked", "cleared", "cleared"]
    world.check(2)


def test_given_an_uphold_taken_back_after_the_yes_then_that_send_goes_out_too(world):
    bought(world, "p1")
    world.put("sends", [("p1", send_to("p1", "first"))])

    async def run() -> None:
        async with world.worker():
            await eventually(lambda: world.read("review"), "an item")
            ask(world)
            await eventually(lambda: world.acted(), "the act")
            world.put("sends", [("p1", send_to("p1", "upheld"))])
            await eventually(lambda: len(world.read("review")) == 2, "a second item")
            item = world.items()["e-upheld"]
            world.act("uphold", item, act_id="uphold-1")
            await eventually(lambda: len(world.acted()) == 2, "it is upheld")
            answer(world, "p1", "yes")
            await eventually(lambda: len(world.read("cleared")) == 1, "what was asked about")
            world.act("undo", item, act_id="undo-1")
            await eventually(lambda: len(world.read("cleared")) == 2, "what was upheld")

    asyncio.run(run())
    assert outcomes(world) == ["asked", "cleared", "cleared", "reopened", "upheld"]
    world.check(2)
