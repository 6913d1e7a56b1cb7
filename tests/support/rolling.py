"""A rolling restart on real Kafka: the worker of an older release beside this one; `scripts/rolling` runs it.

Sends come all the time. At the end each must have exactly one decision and one output, whichever release made it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from streams.kafka.broker import Broker
from tests.support.world import World, group_keys, until

PEOPLE = [f"p{number}" for number in range(40)]
ROUNDS = 5
BESIDE_SECONDS = 25.0
REFUSED = '"partition_refused"'
"""The event by which the older release tells that it cannot read what this one stores."""
MISSING = "is missing. Make it with `gatekeeper topics create`"
"""The words of this release for topics of an older one (`error.topic_missing_differs`)."""


@contextmanager
def older(program: str, world: World, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Runs the older worker in the same group, with a data folder of its own."""
    own = {"GATEKEEPER_WORKER": "older", "GATEKEEPER_DATA": str(folder / "older")}
    with (folder / "older.log").open("ab") as log:
        process = subprocess.Popen(
            [program, "worker"], env=os.environ | world.environment | own, stdout=log, stderr=log
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(40)


def decisions_of(world: World) -> Counter[str]:
    """Returns how many decisions each send has, by its event id."""
    return Counter(one.send["event_id"] for one in world.audits() if one.send and one.stage == "intake")


def came_out(world: World) -> Counter[str]:
    """Returns how often each send came out, by its event id."""
    return Counter(json.loads(one.value())["event_id"] for topic in ("cleared", "review") for one in world.read(topic))


def beside(program: str, bootstrap: str, folder: Path) -> None:
    """This release decides; the older one joins, sends go on, and the older one leaves."""
    world = World(bootstrap, "new.", keys=group_keys(folder / "keys", "new.gk")).create()
    world.people(PEOPLE)
    sent = 0
    with world.process(folder / "newer.log"):
        world.sends(PEOPLE, sent)
        sent += len(PEOPLE)
        world.await_audits(sent)
        with older(program, world, folder) as process:
            log = folder / "older.log"
            until(lambda: process.poll() is not None or b'"assigned"' in log.read_bytes(), "its partitions, or its end")
            assert b'"assigned"' in log.read_bytes(), "it never held a partition, so nothing was tried"
            for _ in range(ROUNDS):
                world.sends(PEOPLE, sent)
                sent += len(PEOPLE)
            with suppress(AssertionError):  # where the older one holds a partition that it cannot read, sends wait
                until(
                    lambda: process.poll() is not None or sum(decisions_of(world).values()) >= sent,
                    "decisions",
                    BESIDE_SECONDS,
                )
            assert process.poll() is None, "it ended by itself, before it was told to"
            assert REFUSED in log.read_text("utf-8", "replace"), "it decided by state that it cannot know"
            print(f"beside the older worker {sum(decisions_of(world).values())} of {sent} sends were decided")
        print(f"the older worker ended with {process.returncode}")
        until(lambda: sum(decisions_of(world).values()) >= sent, "decisions after the older worker has left")
    found = decisions_of(world)
    print(f"{sent} sends: {len(found)} decided, {sum(n - 1 for n in found.values())} doubled, {sent - len(found)} lost")
    print("rules of the decisions:", dict(Counter(one.engine.rules for one in world.audits() if one.stage == "intake")))
    print("verdicts:", dict(Counter(verdict for verdict, _ in world.verdicts().values())))
    told = (folder / "older.log").read_text("utf-8", "replace").splitlines()
    print("\n".join(["the older worker says:", *(line for line in told if "fact_unreadable" not in line)]))
    assert found == came_out(world), "not one output for each decision"
    assert found.keys() == {f"e-{number}" for number in range(sent)}
    assert set(found.values()) == {1}


def after(program: str, bootstrap: str, folder: Path) -> None:
    """This release's worker starts on the topics that the older one made."""
    world = World(bootstrap, "old.", keys=group_keys(folder / "others", "old.gk"))
    subprocess.run([program, "topics", "create"], env=os.environ | world.environment, check=True, capture_output=True)
    with world.process(folder / "after.log") as worker:
        code = worker.wait()
        print(f"on the older topics this release's worker ended with {code}: {worker.tail()[-300:]}")
        assert code == 2
        assert MISSING in worker.tail()


def main() -> None:
    with TemporaryDirectory() as name, Broker(Path(name) / "kafka") as broker:
        after(sys.argv[1], broker.bootstrap, Path(name))
        beside(sys.argv[1], broker.bootstrap, Path(name))


if __name__ == "__main__":
    main()
