"""A broker whose disk is replaced by an older copy of itself: who kept a position in its logs sees it, and says so.

Topics' ids, first offsets and ends fit. The records below the stored positions are others.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
from structlog.testing import capture_logs

from gatekeeper.console.change_signal import ChangeSignal
from gatekeeper.console.feed import Feed
from gatekeeper.ground.settings import Settings
from gatekeeper.index import flow
from gatekeeper.index.current import current
from gatekeeper.index.model import Model
from gatekeeper.index.parts import PARTS
from gatekeeper.webhooks.endpoints import Endpoint
from gatekeeper.webhooks.outbox import Outbox
from gatekeeper.webhooks.runner import now_ms
from gatekeeper.webhooks.watch import Watch
from streams.client.reader import Reader
from streams.kafka.broker import Broker
from tests.support.world import BACK_SOON, World, consent_of, send_to, until

OLD, LOST, NEW = ("a", 4, 1), ("b", 6, 2), ("c", 9, 3)
"""Campaigns of before the copy, of after it, and of after the copy was put back: pieces, and those withdrawn."""
ALL = Endpoint("shop", "https://hooks.example/", ("recall",), (), (), allow_private=False)


def _settings(world: World, folder: Path) -> Settings:
    where = {"data": str(folder / "console"), "webhooks_data": str(folder / "webhooks")}
    return world.settings.model_copy(update={**where, "log": str(folder / "none")})


def _decided(world: World, folder: Path, campaign: tuple[str, int, int]) -> None:
    """Has pieces of a campaign cleared, and some of them recalled; a worker with files of its own does it."""
    name, pieces, withdrawn = campaign
    people = [f"{name}{number}" for number in range(pieces)]
    world.people(people)
    world.put("sends", [(one, send_to(one, one, campaign_id=name)) for one in people])
    world.data = str(folder / f"data-{name}")
    with world.process(folder / f"{name}.log") as worker:
        until(lambda: {f"e-{one}" for one in people} <= world.verdicts().keys(), "they are decided")
        world.put("consents", [(one, consent_of(one, "Withdrawn")) for one in people[:withdrawn]])
        until(lambda: {f"e-{one}" for one in people[:withdrawn]} <= _recalled(world), "they are recalled")
        worker.stop()


def _recalled(world: World) -> set[str]:
    return {orjson.loads(one.value())["event_id"] for one in world.read("recalls")}


def _owed(outbox: Outbox) -> set[str]:
    """The pieces whose recall waits to be posted."""
    return {orjson.loads(one.body)["data"]["event_id"] for one in outbox.due("shop", now_ms(), 1_000)}


def _posted(outbox: Outbox, event_id: str) -> None:
    (one,) = [one for one in outbox.due("shop", now_ms(), 1_000) if event_id.encode() in one.body]
    outbox.delivered(one)


def _counts(model: Model) -> dict[str, tuple[int, int] | None]:
    """Decided and recalled pieces of each campaign in the model."""
    with model.read() as db:
        found = {name: flow.campaign(db, name) for name, *_ in (OLD, LOST, NEW)}
    return {name: one and (one.decided, one.recalled) for name, one in found.items()}


@contextmanager
def _fed(settings: Settings, model: Model) -> Iterator[Feed]:
    feed = Feed(settings, model, ChangeSignal())
    feed.start()
    try:
        yield feed
    finally:
        feed.stop()


def _told(said: list[Any], event: str) -> set[str]:
    return {one["topic"] for one in said if one["event"] == event}


def test_a_disk_put_back_then_console_webhooks_and_worker_see_it_running_or_starting(tmp_path: Path) -> None:
    with Broker(tmp_path / "kafka", settings=BACK_SOON) as broker:
        world = World(broker.bootstrap, "put.", partitions=2).create()
        settings = _settings(world, tmp_path / "ran-on")
        outbox = Outbox(Path(settings.webhooks_data))
        watch = Watch(settings, outbox, [ALL], now_ms)
        with Reader(settings) as reader:
            watch.begin(reader)
        _decided(world, tmp_path, OLD)
        broker.stop()
        shutil.copytree(tmp_path / "kafka" / "data", tmp_path / "older")
        broker.start()

        with world.transaction() as dead:  # of a CRM that died: nothing that can be read, and the logs are longer
            world.put("consents", [("x", b"{}"), ("y", b"{}")], dead, partition=0)
            dead.abort_transaction(30)
        with world.process(tmp_path / "a-again.log") as worker:
            until(worker.owned, "it has read what there is")
            worker.stop()
        _decided(world, tmp_path, LOST)
        model = Model(settings.index, PARTS, zone="Asia/Tokyo")
        with _fed(settings, model), Reader(settings) as reader, capture_logs() as said:
            watch.begin(reader)
            until(lambda: watch.look(reader), "all is read")
            until(lambda: _counts(model) == {"a": (4, 1), "b": (6, 2), "c": None}, "the model has all")
            for event in ("e-a0", "e-b0"):
                _posted(outbox, event)
            assert _owed(outbox) == {"e-b1"}
            shutil.copytree(tmp_path / "ran-on", tmp_path / "kept")

            broker.stop()
            shutil.rmtree(tmp_path / "kafka" / "data")
            shutil.copytree(tmp_path / "older", tmp_path / "kafka" / "data")
            broker.start()
            world = World(broker.bootstrap, "put.", partitions=2)  # which has read nothing of what is gone
            _decided(world, tmp_path, NEW)
            expected, new = {"a": (4, 1), "b": None, "c": (9, 3)}, {"e-b1", *(f"e-c{number}" for number in range(3))}
            until(lambda: _counts(model) == expected, "the console that ran has the present records alone")
            until(lambda: watch.look(reader), "the webhooks that ran have read all")
            assert _owed(outbox) == new
            assert ("audit" in _told(said, "console_rebuilt"), "recalls" in _told(said, "webhooks_rebuilt")) == (
                True,
                True,
            )

        settings = _settings(world, tmp_path / "kept")
        model, outbox = Model(settings.index, PARTS, zone="Asia/Tokyo"), Outbox(Path(settings.webhooks_data))
        assert (_counts(model)["b"], _owed(outbox)) == ((6, 2), {"e-b1"}), "the files are those of before"
        watch = Watch(settings, outbox, [ALL], now_ms)
        with Reader(settings) as reader, current(settings, reader, "audit") as found:
            assert found is None, "no command answers by a model of records that are gone"
        for rebuilt in (True, False):  # at the second start nothing changed since
            with capture_logs() as said, _fed(settings, model), Reader(settings) as reader:
                until(lambda: _counts(model) == expected, "the console that starts has the present records alone")
                watch.begin(reader)
                until(lambda: watch.look(reader), "the webhooks that start have read all")
            assert _owed(outbox) == new, "a place on `sends` had another send before, whose recall was posted"
            assert (
                ("audit" in _told(said, "console_rebuilt")) == ("recalls" in _told(said, "webhooks_rebuilt")) == rebuilt
            )

        with world.process(tmp_path / "last.log", data=str(tmp_path / "data-a")) as worker:
            until(lambda: worker.events("facts_vanished"), "a fact stands where an aborted one stood")
