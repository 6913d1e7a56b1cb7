"""What the tests of the commands share: a way to run them, and a system of topics of their own."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from confluent_kafka import Producer

from gatekeeper import cli
from gatekeeper.settings import Settings
from streams import admin, client
from streams.broker import Broker
from streams.client import Reader, Record


@dataclass(frozen=True)
class Outcome:
    """What a run left behind: exit code, stdout, stderr."""

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


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs `gatekeeper` as its script does, exit code and all, without the start of a process."""

    def run(*arguments: str) -> Outcome:
        capfd.readouterr()
        monkeypatch.setattr(sys, "argv", ["gatekeeper", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capfd.readouterr()
        return Outcome(int(ended.value.code or 0), printed.out, printed.err)

    return run


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
        producer = Producer({"bootstrap.servers": self.settings.broker})
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
        """Returns what stands on a topic."""
        with Reader(self.settings) as reader:
            return list(reader.read(topic))


@pytest.fixture
def environment(kafka: Broker, prefix: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of a system of its own, with no topics yet; no worker answers."""
    monkeypatch.setenv("GATEKEEPER_BROKER", kafka.bootstrap)
    monkeypatch.setenv("GATEKEEPER_PREFIX", prefix)
    monkeypatch.setenv("GATEKEEPER_PARTITIONS", "2")
    monkeypatch.setenv("GATEKEEPER_HTTP_PORT", "1")
    monkeypatch.setenv("GATEKEEPER_USER", "hanako")
    return Settings()


@pytest.fixture
def system(environment: Settings) -> System:
    """A system with its topics."""
    admin.create(environment)
    return System(environment)


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a broker that is not there; asked with less patience than usual."""
    address = "127.0.0.1:1"
    monkeypatch.setenv("GATEKEEPER_BROKER", address)
    monkeypatch.setattr(client, "CONNECT_MS", 300)
    return address


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
        "delivery": {"name": "緑野 花子", "lines": ["緑市若葉町1-2-3"], "email": "hanako@mail.example"},
        **other,
    }
    return {name: value for name, value in fields.items() if value is not None}


@pytest.fixture
def a_send() -> Callable[..., dict[str, Any]]:
    """Makes readable sends."""
    return send
