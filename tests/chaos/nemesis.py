"""Runs a gate and hurts it, by a schedule that a seed makes, until it is told to heal.

A process of its own: `python -m tests.chaos.nemesis FOLDER BROKERS SEED [SCRIPT]`. It says in one line of JSON where
the gate is; `hurt` on standard input lets it begin, `heal` mends everything and has it say what it did, and the end
of its standard input ends all that it runs.
"""

from __future__ import annotations

import json
import queue
import random
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from tests.chaos.faults import KINDS
from tests.chaos.stage import Stage

GAP = 1.5, 4.0
"""Seconds between the beginnings of two faults."""
TICK = 0.05


class Nemesis:
    """Begins fault after fault, each kind as often as any other, and at once only such as hurt different things."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self._stage, self._chance = stage, random.Random(seed)
        self._possible = {name: kind for name, kind in KINDS.items() if kind.brokers <= len(stage.cluster.brokers)}
        self._waiting: list[str] = []
        self._running: list[threading.Thread] = []
        self._next = time.monotonic()
        self.landed: Counter[str] = Counter()
        """The number of faults of each kind that hurt."""
        self.missed: Counter[str] = Counter()
        self.kinds = len(self._possible)
        """The number of kinds that so many brokers can suffer."""

    def tick(self) -> None:
        """Begins what is next."""
        if self._next > time.monotonic():
            return
        if not self._waiting:
            self._waiting = self._chance.sample(sorted(self._possible), len(self._possible))
        for name in self._waiting:
            things = self._possible[name].needs(self._stage)
            thing = self._stage.claim(*self._chance.sample(things, len(things)))
            if thing is not None:
                self._waiting.remove(name)
                self._next = time.monotonic() + self._chance.uniform(*GAP)
                chance = random.Random(self._chance.random())
                self._running.append(threading.Thread(target=self._hurt, args=(name, thing, chance)))
                self._running[-1].start()
                return

    def heal(self) -> None:
        """Returns when every fault has mended what it hurt."""
        self._stage.healing.set()
        for thread in self._running:
            thread.join()
        self._stage.keep_alive()

    def _hurt(self, name: str, thing: object, chance: random.Random) -> None:
        hurt = False
        self._say(begins=name)
        try:
            hurt = self._possible[name].hurt(self._stage, chance, thing)
        except Exception:  # a tool that a broker did not answer; what it hurt comes back by itself
            self._say(failed=name, why=traceback.format_exc(limit=-3))
        (self.landed if hurt else self.missed)[name] += 1
        self._say(ends=name, hurt=hurt)
        self._stage.free(thing)

    def _say(self, **what: Any) -> None:
        print(json.dumps({"at": round(time.monotonic(), 2), **what}), file=sys.stderr, flush=True)


class Hurting(Protocol):
    """Hurts a gate until it is told to heal."""

    kinds: int
    """The number of kinds of what it does."""
    landed: Counter[str]
    """Counts of each kind that was done."""
    missed: Counter[str]

    def tick(self) -> None:
        """Does what is next."""

    def heal(self) -> None:
        """Returns when nothing hurts any more."""


def main(make: Callable[[Stage, int], Hurting]) -> None:
    """Runs a gate, and hurts it as standard input says."""
    folder, brokers, seed, *script = sys.argv[1:]
    orders: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def listen() -> None:
        for line in sys.stdin:
            orders.put(line.strip())
        orders.put(None)

    threading.Thread(target=listen, daemon=True).start()
    with Stage(Path(folder), int(brokers), f"chaos{seed}.", *map(Path, script)) as stage:
        nemesis = make(stage, int(seed))
        world = {"bootstrap": stage.cluster.bootstrap, "prefix": stage.world.prefix}
        say({**world, "partitions": stage.world.partitions, "environment": stage.environment})
        hurting = False
        while True:
            try:
                order = orders.get(timeout=TICK)
            except queue.Empty:
                stage.keep_alive()
                if hurting:
                    nemesis.tick()
                continue
            if order is None:
                return
            hurting = order == "hurt"
            if order == "heal":
                nemesis.heal()
                told = {"kinds": nemesis.kinds, "landed": nemesis.landed, "missed": nemesis.missed}
                say(told | {"codes": stage.all_codes()})


def say(what: dict[str, Any]) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    main(Nemesis)
