"""A person asked on real Kafka: one request, a yes that lets the held send go out, a no, and silence."""

import asyncio
from datetime import UTC, datetime

import orjson
import pytest

from gatekeeper.confirmation import code as codes
from gatekeeper.confirmation.answers import Questions
from gatekeeper.ledger.entries import asked
from schemas.codec import decode, encode
from tests.support import invented as facts
from tests.support.world import World, eventually, send_to, token_of

LIST = ("batch/B-1", {"v": 1, "kind": "batch", "id": "B-1", "name": "通販購入者名簿", "check": facts.CHECK})


@pytest.fixture
def world(kafka, prefix) -> World:
    found = World(kafka.bootstrap, prefix, partitions=2).create().may_ask()
    found.put("reference", [LIST])
    return found


def bought(world: World, *names: str) -> None:
    """Gives each a source that a broker sold."""
    for name in names:
        source = {
            "v": 1,
            "source_id": f"s-{name}",
            "recipient_id": name,
            "method": "indirect.purchased_list",
            "acquired_at": "2025-03-10",
            "collected_by": "broker-a",
            "batch_id": "B-1",
            "contact_points": [{"id": f"cp-{name}", "token": token_of(name)}],
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


@pytest.mark.main
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


@pytest.mark.main
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
