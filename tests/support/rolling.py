"""A rolling restart on real Kafka: workers of an older release beside this one's; `scripts/rolling` runs it.

Sends come all the time. At the end each must have exactly one decision and one output, whichever release made it.
Releases of one minor number (0.3.0 and 0.3.1) decide side by side. An older one refuses what it cannot read.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from streams.kafka.broker import Broker
from tests.support.last_release import HOUSE
from tests.support.world import World, group_keys, owned_by, until

PEOPLE = [f"p{number}" for number in range(40)]
NEW_SETTINGS = ("GATEKEEPER_HANDOFF_DATA",)
"""Settings that the last release does not know, and would refuse."""
ROUNDS = 5
BESIDE_SECONDS = 10.0
PACE_SECONDS = 0.1
"""Time between two sends while patches change places."""
MORE = 20
"""Sends that are decided while two workers are at work, before the next one is stopped."""


@dataclass(frozen=True)
class Release:
    """A release that can be run. `call`: its command. `folder`: in which it is called, such as that of its source."""

    name: str
    call: tuple[str, ...]
    folder: Path = HOUSE

    def run(self, *words: str, **environment: str) -> str:
        """Runs a command of it, and returns what that says; raises if it fails."""
        done = subprocess.run(
            [*self.call, *words], cwd=self.folder, env=os.environ | environment, check=True, capture_output=True
        )
        return done.stdout.decode()

    @property
    def version(self) -> tuple[int, ...]:
        found = re.search(r"\d+\.\d+\.\d+", self.run("--version"))
        assert found
        return tuple(map(int, found[0].split(".")))


OURS = Release("this release", (sys.executable, "-m", "gatekeeper"))


class Running:
    """A worker of a release, a process of its own. `name`: its worker id and data folder."""

    def __init__(self, release: Release, world: World, folder: Path, name: str) -> None:
        self.release, self.name = release, name
        self.log = folder / f"{name}-{len(list(folder.glob(f'{name}-*.log')))}.log"
        known = {name: value for name, value in world.environment.items() if name not in NEW_SETTINGS}
        own = {"GATEKEEPER_WORKER": name, "GATEKEEPER_DATA": str(folder / name)}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*release.call, "worker"],
                cwd=release.folder,
                env=os.environ | known | own,
                stdout=log,
                stderr=log,
            )

    def stop(self) -> int:
        """Stops it as a service manager does, and returns its exit code."""
        self.process.terminate()
        return self.process.wait(40)

    def events(self, *names: str) -> list[dict[str, Any]]:
        """Returns what its log says under these events."""
        lines = self.log.read_text("utf-8", "replace").splitlines(keepends=True)
        return [row for row in (json.loads(line) for line in lines if line.endswith("\n")) if row["event"] in names]

    def decided(self) -> int:
        """Returns how many sends it decided, by the lines of its log. The last line comes when it is stopped."""
        return sum(row["n"] for row in self.events("decided"))


class Flow:
    """Sends that come all the time, in a thread. `sent`: how many."""

    def __init__(self, world: World) -> None:
        self.sent, self._world, self._over = 0, world, threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._over.wait(PACE_SECONDS):
            self._world.sends([PEOPLE[self.sent % len(PEOPLE)]], self.sent)
            self.sent += 1

    def __enter__(self) -> Flow:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


def patch(older: Release, bootstrap: str, prefix: str, folder: Path) -> None:
    """Two workers of the older patch are replaced one after another, and the first goes back, while sends come."""
    world = World(bootstrap, prefix, partitions=2, keys=group_keys(folder / "keys", f"{prefix}gk")).create()
    world.people(PEOPLE)
    world.put("reference", [("campaign/K-1", {"v": 1, "kind": "campaign", "id": "K-1", "name": "a newer kind"})])
    running = {name: Running(older, world, folder, name) for name in ("w1", "w2")}
    stopped = list[tuple[Running, int]]()
    try:
        with Flow(world) as flow:
            _both_at_work(world, running, flow)
            for name, release in (("w1", OURS), ("w2", OURS), ("w1", older)):
                stopped.append((running[name], running[name].stop()))
                running[name] = Running(release, world, folder, name)
                _both_at_work(world, running, flow)
        until(lambda: decisions_of(world).total() >= flow.sent, "the last decisions")
    finally:
        stopped += [(one, one.stop()) for one in running.values()]
    for one, code in stopped:
        print(f"{one.name} of {one.release.name} decided {one.decided()} sends, and ended with {code}")
        assert (one.decided() > 0, code) == (True, 0), one.log.read_text()[-3000:]
    assert sum(one.decided() for one, _ in stopped) == flow.sent
    _nothing_lost_nor_doubled(world, flow.sent)


def _both_at_work(world: World, running: Mapping[str, Running], flow: Flow) -> None:
    """Waits until each worker owns a partition, and MORE sends were decided after that."""
    until(
        lambda: all(owned_by(one.events("assigned", "partition_owned")) for one in running.values()),
        "a partition for each worker",
    )
    then = flow.sent + MORE
    until(lambda: decisions_of(world).total() >= then, "decisions by both")


def minor(older: Release, bootstrap: str, prefix: str, folder: Path) -> None:
    """The older release decides, this one goes on; the older one joins, refuses what it cannot read, and leaves."""
    world = World(bootstrap, prefix, partitions=2, keys=group_keys(folder / "keys", f"{prefix}gk")).create()
    world.people(PEOPLE)
    before = Running(older, world, folder, "before")
    world.sends(PEOPLE)
    sent = len(PEOPLE)
    world.await_audits(sent)
    print(f"the older worker decided {sent} sends, and ended with {before.stop()}")
    with world.process(folder / "newer.log"):
        world.sends(PEOPLE, sent)
        sent += len(PEOPLE)
        world.await_audits(sent)
        beside = Running(older, world, folder, "older")
        process = beside.process
        try:
            until(lambda: process.poll() is not None or beside.events("assigned"), "its partitions, or its end")
            assert beside.events("assigned"), "it never held a partition, so nothing was tried"
            for _ in range(ROUNDS):
                world.sends(PEOPLE, sent)
                sent += len(PEOPLE)
            with suppress(AssertionError):  # where the older one holds a partition that it cannot read, sends wait
                until(
                    lambda: process.poll() is not None or decisions_of(world).total() >= sent,
                    "decisions",
                    BESIDE_SECONDS,
                )
            assert process.poll() is None, "it ended by itself, before it was told to"
            assert beside.events("partition_refused"), "it decided by state that it cannot know"
            print(f"beside the older worker {decisions_of(world).total()} of {sent} sends were decided")
        finally:
            print(f"the older worker ended with {beside.stop()}")
        until(lambda: decisions_of(world).total() >= sent, "decisions after the older worker has left")
    _nothing_lost_nor_doubled(world, sent)
    told = beside.log.read_text("utf-8", "replace").splitlines()
    print("\n".join(["the older worker says:", *(line for line in told if "fact_unreadable" not in line)]))


def decisions_of(world: World) -> Counter[str]:
    """Returns how many decisions each send has, by its event id."""
    return Counter(one.send["event_id"] for one in world.audits() if one.send and one.stage == "intake")


def came_out(world: World) -> Counter[str]:
    """Returns how often each send came out, by its event id."""
    return Counter(json.loads(one.value())["event_id"] for topic in ("cleared", "review") for one in world.read(topic))


def _nothing_lost_nor_doubled(world: World, sent: int) -> None:
    found = decisions_of(world)
    print(f"{sent} sends: {len(found)} decided, {found.total() - len(found)} doubled, {sent - len(found)} lost")
    assert found == came_out(world), "not one output for each decision"
    assert found.keys() == {f"e-{number}" for number in range(sent)}
    assert set(found.values()) == {1}


def main() -> None:
    older = Release("the older release", (sys.argv[1],))
    with TemporaryDirectory() as name, Broker(Path(name) / "kafka") as broker:
        print(older.version, "beside", OURS.version)
        if older.version[:2] == OURS.version[:2]:
            patch(older, broker.bootstrap, "patch.", Path(name))
        else:
            minor(older, broker.bootstrap, "new.", Path(name))


if __name__ == "__main__":
    main()
