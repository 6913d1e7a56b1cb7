"""A gate to hurt: brokers, two workers behind the proxy, and a sealer, each a process that is started again.

The second worker has two processes of its own.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from tests.support.cluster import Cluster
from tests.support.world import BACK_SOON, Supervised, World, group_keys

WORKERS: Mapping[str, Sequence[str]] = {"worker-0": (), "worker-1": ("--processes", "2")}
"""The options of each worker."""
MEMBERS = ("worker-0", "worker-1.0", "worker-1.1", "worker-1")
"""All who may be in the workers' group; the last one is only when a script runs in place of the second worker."""
ENDED_SOON = {"transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000"}
"""A transaction that its producer has left ends when its time is over, and not up to ten seconds later."""
GATEKEEPER = Path(sys.executable).with_name("gatekeeper")


class Stage:
    """The processes of one round; whoever hurts one claims it, and it is left alone until it is free again.

    `script`: what runs in place of `gatekeeper worker`, to see that a worker which does wrong is found out.
    `workers`: their options, as of WORKERS. `forgetful`: those that keep nothing on a disk.
    """

    def __init__(
        self,
        folder: Path,
        brokers: int,
        prefix: str,
        script: Path | None = None,
        *,
        partitions: int = 4,
        workers: Mapping[str, Sequence[str]] = WORKERS,
        forgetful: Collection[str] = (),
    ) -> None:
        self.script, self._workers, self._forgetful = script, workers, forgetful
        self.folder = folder
        self.cluster = Cluster(folder, brokers, BACK_SOON | ENDED_SOON)
        self.proxy = self.cluster.proxy
        keys = group_keys(folder / "keys", f"{prefix}gk")
        self.world = World(self.cluster.bootstrap, prefix, partitions=partitions, keys=keys)
        self.codes: list[tuple[str, int]] = []
        """The processes that ended by themselves, with their exit codes."""
        self.healing = threading.Event()
        self._claimed: set[object] = set()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self.cluster)
            self.world.create().may_ask()
            self.workers = [
                stack.enter_context(
                    self.world.process(
                        self.folder / f"{name}.log",
                        self.script,
                        *words,
                        worker=name,
                        broker=self.proxy.bootstrap,
                        **({"data": ""} if name in self._forgetful else {}),
                    )
                )
                for name, words in self._workers.items()
            ]
            self.sealer = self.command("audit", "seal", "--interval", "1", "--coverage", "0")
            stack.callback(lambda: self.sealer.kill())
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def environment(self) -> dict[str, str]:
        """The settings with which a command finds the gate."""
        return {**self.world.environment, "GATEKEEPER_LOG": str(self.folder / "log")}

    def command(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Starts a command of the gate; its errors go into a pipe, as no file of it may grow while its disk is full."""
        command = [GATEKEEPER, *arguments]
        streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
        return subprocess.Popen(command, env=os.environ | self.environment, **streams)

    def ended(self, name: str, command: subprocess.Popen[bytes], seconds: float = 30.0) -> int:
        """Waits for the end of a command, keeps what it said, and returns its exit code."""
        _, said = command.communicate(timeout=seconds)
        with (self.folder / f"{name}.log").open("ab") as log:
            log.write(said)
        return command.returncode

    def pause(self, seconds: float) -> None:
        """Returns after so many seconds, at once while the round heals."""
        self.healing.wait(seconds)

    def until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Waits for a condition, at most for so long; tells whether it came."""
        end = time.monotonic() + seconds
        while not (found := condition()) and time.monotonic() < end:
            time.sleep(0.05)
        return found

    def claim(self, *things: object) -> object | None:
        """Returns the first of these that nobody hurts, which is then the caller's; None where all are hurt."""
        for thing in things:
            if thing not in self._claimed:
                self._claimed.add(thing)
                return thing
        return None

    def free(self, thing: object) -> None:
        self._claimed.discard(thing)

    def seal(self) -> None:
        """Starts the sealer again."""
        self.sealer = self.command("audit", "seal", "--interval", "1", "--coverage", "0")

    def keep_alive(self) -> None:
        """Starts again what has ended by itself."""
        for worker in self.workers:
            if worker not in self._claimed and (code := worker.keep_alive()) is not None:
                self.codes.append((worker.environment["GATEKEEPER_WORKER"], code))
        if "sealer" not in self._claimed and self.sealer.poll() is not None:
            self.codes.append(("sealer", self.ended("sealer", self.sealer)))
            self.seal()

    def all_codes(self) -> list[tuple[str, int]]:
        """Returns `codes`, and those of the workers' processes that ended by themselves."""
        ended = [
            (f"{worker.environment['GATEKEEPER_WORKER']}.{event['process']}", event["code"])
            for worker in self.workers
            for line in worker.log.read_bytes().splitlines()
            if b'"process_ended"' in line  # a library may say other things, and not in JSON
            for event in [json.loads(line)]
        ]
        return self.codes + [(name, code) for name, code in ended if code != -signal.SIGKILL]

    def replace(self, worker: Supervised, script: Path | None = None) -> None:
        """Kills a worker, and starts it from another script, or as it was."""
        worker.kill()
        worker.script = script or self.script
        worker.start()
