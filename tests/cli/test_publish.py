"""`gatekeeper publish`: the right lines of a file, byte for byte; what is wrong is told before anything is written."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gatekeeper.ground.settings import Settings
from streams.client import admin, broker_access, publisher
from streams.client.publisher import Publisher
from streams.client.reader import Reader
from streams.kafka.broker import Broker
from tests.cli.conftest import System
from tests.cli.conftest import send as any_send
from tests.support.world import BACK_SOON, PURPOSES, TEMPLATE, controller_record


def write(path: Path, *lines: object, end: str = "\n") -> Path:
    said = (line if isinstance(line, str) else json.dumps(line, ensure_ascii=False) for line in lines)
    path.write_text("".join(f"{line}{end}" for line in said), "utf-8")
    return path


@pytest.fixture
def a_send() -> Callable[..., dict[str, Any]]:
    """Makes sends that the gate takes once their controller and template are registered."""
    return lambda number, **other: any_send(
        number, **{"controller_id": "C1", "purpose": "mkt.dm.own", "template_id": "T1", **other}
    )


@pytest.fixture
def system(system: System) -> System:
    """A system in which the sends' controller and template are registered."""
    register(system)
    return system


def register(system: System) -> None:
    for key, value in (controller_record(), *PURPOSES, TEMPLATE):
        system.put("reference", json.dumps(value).encode(), key=key.encode())


@pytest.mark.main
def test_a_campaign_then_each_line_is_published_as_it_is(run, system, a_send, tmp_path: Path) -> None:
    lines = [json.dumps(a_send(number), ensure_ascii=False, indent=None) + "  " for number in range(50)]
    done = run("publish", str(write(tmp_path / "campaign.jsonl", *lines, "", end="\r\n")), "--json")
    assert done.code == 0
    assert done.json["published"] == 50
    assert done.json["topic"] == system.settings.topic("sends")
    records = system.records("sends")
    assert sorted(record.value.decode() for record in records) == sorted(lines)
    assert all(record.key == json.loads(record.value)["recipient_id"].encode() for record in records)
    assert {record.partition for record in records} == {0, 1}


@pytest.mark.main
def test_lines_that_the_gate_would_refuse_then_they_are_told_and_the_rest_published(
    run, system, a_send, tmp_path: Path
) -> None:
    now = datetime.now(UTC)
    wrong = {
        "purpose_unknown": a_send(1, purpose="mkt.dm.onw"),
        "controller_unknown": a_send(2, controller_id="C2"),
        "template_unknown": a_send(3, template_id="T2"),
        "mail_date_too_far": a_send(4, mail_date=str((now + timedelta(days=99)).date())),
        "mail_date_past": a_send(5, mail_date=str((now - timedelta(days=9)).date())),
        "confirmation_incomplete": a_send(6, message_class="confirmation"),
        "field_invalid": a_send(7, channel="hanako@mail.example"),
        "not_json": "{hanako",
    }
    file, rejects = write(tmp_path / "c.jsonl", a_send(0), *wrong.values(), a_send(9)), tmp_path / "rejects.jsonl"
    done = run("publish", str(file), "--rejects", str(rejects))
    assert done.code == 1
    assert {record.key for record in system.records("sends")} == {b"r0", b"r9"}
    assert all(
        part in done.err for part in (f"{file}, line 2, purpose", "it says mkt.dm.onw", "mkt.dm.own", "C1", "T1")
    )
    assert "postal" in done.err
    assert str(rejects) in done.err
    written = [json.loads(line) for line in rejects.read_text().splitlines()]
    assert [(row["line"], row["cause"]) for row in written] == list(enumerate(wrong, start=2))
    assert [row["field"] for row in written[:3]] == ["purpose", "controller_id", "template_id"]
    assert not any(word in done.out + done.err + rejects.read_text() for word in ("hanako", "緑野", "若葉町"))

    table = run("publish", str(file), "--rejects", str(tmp_path / "r.csv"), "--from-line", "6", "--json").json
    assert (table["rejected"], table["published"], table["rejected_lines"][0]["line"]) == (4, 1, 6)
    assert (tmp_path / "r.csv").read_bytes().startswith(b'\xef\xbb\xbf"line",')
    assert "--rejects" in run("publish", str(file), "--rejects", str(file)).says(2)


@pytest.mark.main
def test_no_readable_file_then_one_sentence_names_it(run, system, tmp_path: Path) -> None:
    for name, content in (("empty", b""), ("blank", b"\n\r\n\n"), ("endless", b"x" * 2**20)):
        (tmp_path / name).write_bytes(content)
    for name in ("nothing", "empty", "blank", "endless"):
        assert str(tmp_path / name) in run("publish", str(tmp_path / name), "--allow-invalid").says(2)
    assert str(tmp_path) in run("publish", str(tmp_path)).says(2)
    assert system.records("sends") == []


def test_a_broker_dies_midway_then_the_acknowledged_lines_and_the_way_on_are_told(
    run, a_send, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path / "c.jsonl", *(a_send(number) for number in range(30)))
    with Broker(tmp_path / "kafka", settings=BACK_SOON) as broker:
        monkeypatch.setenv("GATEKEEPER_BROKER", broker.bootstrap)
        admin.create(Settings())
        register(System(Settings()))
        whole, written = Publisher.write, []

        def write_once_and_kill(
            self: Publisher, records: list[tuple[bytes | None, bytes]], **more: Any
        ) -> list[object]:
            if written:
                broker.kill()
            written.append(records)
            return whole(self, records, **more)

        with monkeypatch.context() as hurt:
            hurt.setattr(Publisher, "write", write_once_and_kill)
            hurt.setattr(publisher, "WINDOW_RECORDS", 20)
            hurt.setattr(publisher, "DELIVERY_MS", 2_500)
            hurt.setattr(publisher, "REQUEST_MS", 1_000)
            hurt.setattr(broker_access, "REQUEST_MS", 1_000)
            says = run("publish", str(file)).says(5)
        assert "acknowledged 20 lines" in says
        assert "--from-line 21" in says
        broker.start()
        assert run("publish", str(file), "--from-line", "21").code == 0
        with Reader(Settings()) as reader:
            keys = [record.key for record in reader.read("sends")]
    assert sorted(keys) == sorted(f"r{number}".encode() for number in range(30))
