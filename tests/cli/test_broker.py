"""`gatekeeper broker` as a person runs it: one clear line, the documented exit code, nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from confluent_kafka.admin import AdminClient  # type: ignore[attr-defined]

from tests.support import forked
from tests.support.forked import Command
from tests.support.world import until

NOWHERE = "http://127.0.0.1:9/maven"
HOUSE = Path(__file__).parents[2]


def environment(**changes: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GATEKEEPER_BROKER")}
    return {**kept, "PYTHONPATH": str(HOUSE), "GATEKEEPER_LANG": "en", "NO_PROXY": "127.0.0.1", **changes}


def broker(folder: Path, *options: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """Runs the command to its end, which must come by itself."""
    return forked.run("broker", *options, env=environment(**changes), cwd=folder)


@contextmanager
def running(folder: Path, *options: str, wait: bool = True, **changes: str) -> Iterator[Command]:
    """Runs the command beside the test, from when it has told its address."""
    with Command("broker", *options, env=environment(**changes), cwd=folder) as process:
        try:
            if wait:
                meanwhile((folder / ".gatekeeper/broker.json").exists, "the broker file", process)
            yield process
        finally:
            process.terminate()
            process.communicate(timeout=60)


def meanwhile(condition: Callable[[], bool], what: str, process: Command) -> None:
    """Waits like `until`, and fails as soon as the command has ended."""

    def seen() -> bool:
        assert process.poll() is None, f"ended before: {what}; it said: {process.communicate()}"
        return condition()

    until(seen, what)


def told(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / ".gatekeeper/broker.json").read_text())
    return found


def node_of(process: Command) -> int:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert len(children) == 1
    return int(children[0])


def nodes_in(folder: Path) -> list[str]:
    """Returns the processes that run in a folder below `folder`."""
    places = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            places[entry.name] = os.readlink(entry / "cwd")
        except OSError:
            continue
    return [pid for pid, place in places.items() if place.startswith(f"{folder}/")]


def left_nothing(folder: Path) -> bool:
    return (
        nodes_in(folder) == []
        and not list(folder.rglob("*.part"))
        and not (folder / ".gatekeeper/broker.json").exists()
    )


def one_sentence(result: subprocess.CompletedProcess[str]) -> str:
    """Returns what was said, which is one error and no traceback."""
    said = result.stderr.strip().splitlines()
    assert "Traceback" not in result.stderr
    assert [line for line in said if line.startswith("error: ")] == said[-1:], result.stderr
    assert result.stdout == ""
    return said[-1]


def test_no_network_a_port_and_a_dead_brokers_file_then_it_runs_alone_until_ctrl_c(tmp_path: Path) -> None:
    (tmp_path / ".gatekeeper").mkdir()
    stale = {"bootstrap": "127.0.0.1:1", "pid": os.getpid()}  # a number may live again, as another program's
    (tmp_path / ".gatekeeper/broker.json").write_text(json.dumps(stale))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"127.0.0.1:{port}"
    with running(tmp_path, "--port", str(port), wait=False, MAVEN_MIRROR_URL=NOWHERE) as process:
        meanwhile(lambda: told(tmp_path) != stale, "a new broker file", process)
        assert told(tmp_path) == {"bootstrap": address, "pid": process.pid}
        second = broker(tmp_path, "--data", "other")
        assert second.returncode == 3
        said = one_sentence(second)
        assert address in said
        assert str(process.pid) in said
        assert told(tmp_path) == {"bootstrap": address, "pid": process.pid}
        assert AdminClient({"bootstrap.servers": address}).list_topics(timeout=30).brokers
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert (tmp_path / ".gatekeeper/kafka/data/.kafka_cleanshutdown").exists()
    assert out.splitlines() == [f"Kafka runs at {address}, with its data in .gatekeeper/kafka. Ctrl-C stops it."]
    assert "Traceback" not in err
    assert left_nothing(tmp_path)
    assert not (tmp_path / "other").exists()


def test_given_a_node_that_dies_then_3_with_its_log_and_no_broker_file(tmp_path: Path) -> None:
    with running(tmp_path) as process:
        os.kill(node_of(process), signal.SIGKILL)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 3
    assert str(tmp_path / ".gatekeeper/kafka/server.log") in err
    assert left_nothing(tmp_path)
