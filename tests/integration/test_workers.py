"""Several workers on one machine, as `gatekeeper worker --processes` runs them, on real Kafka."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from time import time
from typing import Any

import pytest

from streams.kafka.broker import Broker
from tests.support.world import Supervised, World, health_page, metrics_page, until

WORKERS = ["worker-0.0", "worker-0.1"]


def started(worker: Supervised) -> list[int]:
    """Returns the numbers of the workers that started, in order."""
    return [event["process"] for event in worker.events("worker_started")]


def partitions(answer: dict[str, Any]) -> list[list[int]]:
    return [row["partitions"] for row in answer["processes"]]


@pytest.mark.main
def test_two_processes_and_one_killed_and_all_stopped_then_each_send_is_decided_once(
    kafka: Broker, prefix: str, tmp_path: Path
) -> None:
    world = World(kafka.bootstrap, prefix, partitions=2, data=str(tmp_path / "data")).create()
    names = [f"r{number}" for number in range(40)]
    world.people(names)
    with world.process(tmp_path / "log", None, "--processes", "2") as worker:
        (event,) = until(lambda: worker.events("workers_started"), "the supervisor runs")
        port = event["port"]
        assert worker.process
        assert len(os.listdir(f"/proc/{worker.process.pid}/task")) == 1, "a process with threads must not be forked"
        assert health_page(port, "healthz") == (200, {"alive": True})
        _, answer = until(lambda: (found := health_page(port, "readyz"))[0] == 200 and found, "both are ready")
        assert sorted(partitions(answer)) == [[0], [1]]
        assert (answer["partitions"], answer["people"], answer["facts_fresh"]) == ([0, 1], 40, True)
        world.sends(names)
        until(lambda: world.decided() == 40, "decisions")
        clear = ("channel=postal", "message_class=marketing")
        shown = metrics_page(port)
        decided = [
            shown.get(("gatekeeper_sends_decided_total", *clear, f"process={process}", "reason=", "verdict=clear"), 0)
            for process in (0, 1)
        ]
        assert sum(decided) == 40
        assert all(decided)
        assert [shown["gatekeeper_publish_to_decision_seconds_count", f"process={n}"] for n in (0, 1)] == decided
        assert [shown["gatekeeper_partition_owned", f"partition={n}", f"process={p}"] for p, (n,) in
                enumerate(partitions(answer))] == [1, 1]  # fmt: skip
        assert {value for key, value in shown.items() if key[0] == "gatekeeper_sends_lag_records"} == {0}
        assert sorted({message.key().decode() for message in world.read("manifests")}) == WORKERS

        pid = answer["processes"][1]["pid"]
        os.kill(pid, signal.SIGSTOP)
        world.sends(names, 40)
        _, answer = until(lambda: (found := health_page(port, "readyz"))[0] == 503 and found, "one is not ready")
        assert [row["ready"] for row in answer["processes"]] == [True, None]
        os.kill(pid, signal.SIGKILL)
        until(lambda: world.decided() == 80, "decisions, also of what the killed one had")
        until(lambda: sorted(started(worker)) == [0, 1, 1], "the killed one runs again")
        _, answer = until(lambda: (found := health_page(port, "readyz"))[0] == 200 and found, "both are ready again")
        assert [row["code"] for row in answer["processes"]] == [None, -9]
        restarts = {
            key[1:]: n for key, n in metrics_page(port).items() if key[0] == "gatekeeper_process_restarts_total" and n
        }
        assert restarts == {("cause=fault", "process=1"): 1}

        world.sends(names, 80)
        assert worker.stop() == 0
        assert [event["code"] for event in worker.events("worker_stopped")] == [0, 0]
    with world.process(tmp_path / "log") as alone:
        until(lambda: world.decided() == 120, "what was left")
        until(lambda: alone.owned() == [0, 1], "one process has both")
        world.sends(names, 120)
        until(lambda: world.decided() == 160, "the last ones")
        shown = metrics_page(alone.events("worker_started")[0]["port"])
        assert 0 < time() - shown[("gatekeeper_decided_timestamp_seconds",)] < 300
        counted = sum(n for (name, *_), n in shown.items() if name == "gatekeeper_sends_decided_total")
        assert alone.stop() == 0
        told = alone.events("decided")
        assert [sum(event[name] for event in told) for name in ("n", "clear", "block")] == [counted, counted, 0]
        assert 0 < told[-1]["p50_seconds"] <= told[-1]["p99_seconds"] < 400
        (left,) = until(lambda: alone.events("folder_unheld"), "it says which folder nobody uses any more")
        assert left["folder"] == str(tmp_path / "data" / "1")
    assert world.check(160) == {"clear": 160}
