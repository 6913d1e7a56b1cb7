"""A broker whose disk is replaced by an older copy of itself: who kept a position in its logs sees it, and says so.

Topics' ids, first offsets and ends fit. The records below the stored positions are others.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest
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


@dataclass
class PutBack:
    """The world at the end, the readers' files as they were before the copy was put back, and readers that ran on.

    `said`: what the process's log said meanwhile.
    """

    world: World
    folder: Path
    model: Model
    outbox: Outbox
    watch: Watch
    reader: Reader
    said: list[Any] = field(default_factory=list)

    def settings(self, kept: str) -> Settings:
        """The settings of readers whose files are those of before, copied to a folder of this name."""
        if not (place := self.folder / kept).exists():
            shutil.copytree(self.folder / "kept", place)
        return _settings(self.world, place)


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


@pytest.fixture(scope="module")
def put_back(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PutBack]:
    folder = tmp_path_factory.mktemp("put-back")
    broker = Broker(folder / "kafka", settings=BACK_SOON)
    with broker:
        world = World(broker.bootstrap, "put.", partitions=2).create()
        settings = _settings(world, folder / "ran-on")
        outbox = Outbox(Path(settings.webhooks_data))
        watch = Watch(settings, outbox, [ALL], now_ms)
        with Reader(settings) as reader:
            watch.begin(reader)
        _decided(world, folder, OLD)
        broker.stop()
        shutil.copytree(folder / "kafka" / "data", folder / "older")
        broker.start()

        with world.transaction() as dead:  # of a CRM that died: nothing that can be read, and the logs are longer
            world.put("consents", [("x", b"{}"), ("y", b"{}")], dead, partition=0)
            dead.abort_transaction(30)
        with world.process(folder / "a-again.log") as worker:
            until(worker.owned, "it has read what there is")
            worker.stop()
        _decided(world, folder, LOST)
        model = Model(settings.index, PARTS, zone="Asia/Tokyo")
        with _fed(settings, model), Reader(settings) as reader, capture_logs() as said:
            watch.begin(reader)
            until(lambda: watch.look(reader), "all is read")
            until(lambda: _counts(model) == {"a": (4, 1), "b": (6, 2), "c": None}, "the model has all")
            for event in ("e-a0", "e-b0"):
                _posted(outbox, event)
            assert _owed(outbox) == {"e-b1"}
            shutil.copytree(folder / "ran-on", folder / "kept")

            broker.stop()
            shutil.rmtree(folder / "kafka" / "data")
            shutil.copytree(folder / "older", folder / "kafka" / "data")
            broker.start()
            world = World(broker.bootstrap, "put.", partitions=2)  # which has read nothing of what is gone
            _decided(world, folder, NEW)
            yield PutBack(world, folder, model, outbox, watch, reader, said)


def _told(said: list[Any], event: str) -> set[str]:
    return {one["topic"] for one in said if one["event"] == event}


def test_a_console_that_runs_or_starts_then_its_model_is_new_and_holds_nothing_gone(
    put_back: PutBack,
) -> None:
    expected = {"a": (4, 1), "b": None, "c": (9, 3)}
    until(lambda: _counts(put_back.model) == expected, "the console that ran has the present records alone")
    assert "audit" in _told(put_back.said, "console_rebuilt")
    settings = put_back.settings("console")
    model = Model(settings.index, PARTS, zone="Asia/Tokyo")
    assert _counts(model)["b"] == (6, 2), "the file is that of before"
    with Reader(settings) as reader, current(settings, reader, "audit") as found:
        assert found is None, "no command answers by a model of records that are gone"
    with capture_logs() as said, _fed(settings, model):
        until(lambda: _counts(model) == expected, "the console that starts has the present records alone")
    assert "audit" in _told(said, "console_rebuilt")
    with Reader(settings) as reader, current(settings, reader, "audit") as found:
        assert found is not None
    with capture_logs() as said, _fed(settings, model) as feed:
        until(lambda: feed.progress.ready, "it starts again")
    assert _told(said, "console_rebuilt") == set(), "nothing changed since"


def test_webhooks_that_run_or_start_then_each_recall_is_queued_and_posted_once(
    put_back: PutBack,
) -> None:
    new = {"e-b1", *(f"e-c{number}" for number in range(3))}
    until(lambda: put_back.watch.look(put_back.reader), "those that ran have read all")
    assert _owed(put_back.outbox) == new
    assert "recalls" in _told(put_back.said, "webhooks_rebuilt")
    settings = put_back.settings("webhooks")
    outbox = Outbox(Path(settings.webhooks_data))
    assert _owed(outbox) == {"e-b1"}, "the file is that of before"
    watch = Watch(settings, outbox, [ALL], now_ms)
    with Reader(settings) as reader, capture_logs() as said:
        watch.begin(reader)
        until(lambda: watch.look(reader), "those that start have read all")
    assert _owed(outbox) == new, "a place on `sends` had another send before, whose recall was posted"
    assert "recalls" in _told(said, "webhooks_rebuilt")
    with Reader(settings) as reader, capture_logs() as said:
        watch.begin(reader)
        until(lambda: watch.look(reader), "it starts again")
    assert (_owed(outbox), _told(said, "webhooks_rebuilt")) == (new, set())


def test_a_worker_that_read_no_more_than_the_copy_has_then_it_sees_another_log(
    put_back: PutBack,
) -> None:
    world = put_back.world
    with world.process(put_back.folder / "last.log", data=str(put_back.folder / "data-a")) as worker:
        until(lambda: worker.events("facts_vanished"), "a fact stands where an aborted one stood")
