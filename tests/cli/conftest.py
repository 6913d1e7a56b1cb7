"""The tests of the commands share a way to run them, and a system of topics of their own.

hanako acts, with her key, unless a command says `--by` somebody else of `tests.support.staff`, whose key signs then.
"""

from __future__ import annotations

import json
import os
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import pytest
from confluent_kafka import Producer

from gatekeeper import cli
from gatekeeper.ground import forks
from gatekeeper.ground.settings import Settings
from gatekeeper.index.model import Model
from gatekeeper.index.parts import PARTS
from schemas.codec import decode
from schemas.record import Record
from streams.client import admin, broker_access
from streams.client.reader import Reader
from streams.kafka.broker import Broker
from tests.support import staff
from tests.support.world import Supervised, World


@dataclass(frozen=True)
class Outcome:
    """The result of a run: exit code, stdout, stderr."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    def says(self, code: int) -> str:
        """Returns stderr as the one sentence that a foreseeable trouble may print, with this exit code."""
        assert self.code == code, self
        assert self.out == "", "data came out of a command that failed"
        assert self.err.startswith("error: "), self.err
        assert self.err.count("\n") == 1, self.err
        assert "Traceback" not in self.err
        return self.err


Run = Callable[..., Outcome]


def acting(arguments: Sequence[str]) -> str:
    """The person whose key a command needs: the first that it names with `--by`, hanako if there is none."""
    named = (person for option, person in pairwise(arguments) if option == "--by" and person in staff.ROLES)
    return next(named, "hanako")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs `gatekeeper` as its script does, exit code and all, without the start of a process.

    Most of these systems have no worker, so no command waits for its answer unless `answered` says that one is there.
    """

    def run(*arguments: str, answered: bool = False) -> Outcome:
        if not answered:
            arguments = _unawaited(arguments)
        capfd.readouterr()
        with monkeypatch.context() as called:
            called.setattr(sys, "argv", ["gatekeeper", *arguments])
            called.setattr(forks, "THREADS", len(os.listdir("/proc/self/task")))  # a process of its own would have 1
            if os.environ.get("GATEKEEPER_USER_KEY") == staff.key_file("hanako"):
                called.setenv("GATEKEEPER_USER_KEY", staff.key_file(acting(arguments)))
            with pytest.raises(SystemExit) as ended:
                cli.main()
        printed = capfd.readouterr()
        return Outcome(int(ended.value.code or 0), printed.out, printed.err)

    return run


AWAITING = (
    *(("erase",), ("readmit",), ("suspend",), ("resume",), ("withdraw",), ("tail",)),
    *(("source", "quarantine"), ("policy", "activate")),
)
"""Commands that wait for the worker's answer to their act."""


def _unawaited(arguments: tuple[str, ...]) -> tuple[str, ...]:
    verb = next((verb for verb in AWAITING if arguments[: len(verb)] == verb), ())
    return (*verb, "--no-wait", *arguments[len(verb) :]) if verb else arguments


@cache
def _producer(broker: str) -> Producer:
    return Producer({"bootstrap.servers": broker, "log_level": 0})


@dataclass(frozen=True)
class System:
    """The topics of one test, written to and read by hand."""

    settings: Settings

    def put(
        self,
        topic: str,
        value: bytes | None,
        *,
        key: bytes | None = None,
        headers: Sequence[tuple[str, bytes]] = (),
        partition: int = 0,
    ) -> None:
        """Writes one record with another client than ours."""
        failed: list[object] = []
        producer = _producer(self.settings.broker)
        producer.produce(
            self.settings.topic(topic),
            value,
            key,
            partition=partition,
            headers=list(headers),
            on_delivery=lambda error, _: failed.append(error) if error else None,
        )
        assert producer.flush(30) == 0
        assert not failed, failed

    def records(self, topic: str) -> list[Record]:
        """Returns what stands on a topic after all that was acknowledged, without the signatures of `reference`."""
        with Reader(self.settings) as reader:
            records = reader.read(topic, before=reader.settled(topic))
            return [one for one in records if not (one.key or b"").startswith(b"signature/")]

    def decoded(self, topic: str) -> list[Any]:
        """Returns the same as models."""
        return [decode(topic, record.key, record.value) for record in self.records(topic)]


@pytest.fixture
def environment(kafka: Broker, prefix: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of a system of its own, with no topics yet; no worker answers."""
    monkeypatch.setenv("GATEKEEPER_BROKER", kafka.bootstrap)
    monkeypatch.setenv("GATEKEEPER_PREFIX", prefix)
    monkeypatch.setenv("GATEKEEPER_PARTITIONS", "2")
    monkeypatch.setenv("GATEKEEPER_HTTP_PORT", "1")
    monkeypatch.setenv("GATEKEEPER_USER", "hanako")
    monkeypatch.setenv("GATEKEEPER_USER_KEY", staff.key_file("hanako"))
    return Settings()


@pytest.fixture
def system(environment: Settings) -> System:
    """A system with its topics, of which nothing is read yet."""
    admin.create(environment)
    return System(environment)


@pytest.fixture
def people(system: System) -> System:
    """The same, where the people of `tests.support.staff` are registered."""
    for name, value in staff.founding(origin=system.settings.group):
        system.put("reference", value, key=name.encode())
    return system


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a broker that is not there; asked with less patience than usual."""
    address = "127.0.0.1:1"
    monkeypatch.setenv("GATEKEEPER_BROKER", address)
    monkeypatch.setattr(broker_access, "CONNECT_MS", 300)
    return address


@pytest.fixture(scope="module")
def office(kafka: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, Supervised]]:
    """A world with its worker for all tests of one page; each has campaigns of its own in it."""
    world = World(kafka.bootstrap, f"t{uuid.uuid4().hex}.", partitions=2, max_lag=60.0).create().may_ask()
    with world.process(tmp_path_factory.mktemp("worker") / "log") as worker:
        yield world, worker


@pytest.fixture
def world(office: tuple[World, Supervised], monkeypatch: pytest.MonkeyPatch) -> World:
    """The shared world, named to the commands; who acts is hanako."""
    for name, value in office[0].environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("GATEKEEPER_USER", "hanako")
    return office[0]


@pytest.fixture
def campaign() -> str:
    """The name of a campaign of one test."""
    return f"c{uuid.uuid4().hex[:12]}"


def read_model(settings: Settings) -> None:
    """Brings the read model of a console in this folder up to date, as the console's feed does."""
    model = Model(settings.index, PARTS, zone="Asia/Tokyo")
    model.begin(admin.identity(settings))
    with Reader(settings) as reader:
        for topic in model.topics:
            model.take(reader.read(topic))
    assert not model.skipped


def never(*_: Any, **__: Any) -> Any:
    """Takes the place of a way that a test must not go."""
    raise AssertionError("the topics were read from end to end")


def send(number: int, **other: Any) -> dict[str, Any]:
    """Returns a readable send; `other` replaces fields, None takes one away."""
    fields = {
        "v": 1,
        "event_id": f"e{number}",
        "recipient_id": f"r{number}",
        "campaign_id": "autumn",
        "controller_id": "midori",
        "purpose": "marketing",
        "channel": "postal",
        "message_class": "marketing",
        "contact_point": {"id": "home", "token": "t1_" + "A" * 43},
        "template_id": "leaflet",
        "delivery": {
            "name": "緑野 花子",
            "postcode": "100-0000",
            "lines": ["緑市若葉町1-2-3"],
            "email": "hanako@mail.example",
        },
        **other,
    }
    return {name: value for name, value in fields.items() if value is not None}


@pytest.fixture
def a_send() -> Callable[..., dict[str, Any]]:
    """Makes readable sends."""
    return send
