"""Runs seed after seed, and says which broke a promise: `scripts/simulate --help`."""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from tests.simulation.simulation import Outcome, simulate

SEEDS, STEPS = 200, 300
LAST = 60


def main() -> int:
    """Returns 0 where every promise held, else 1."""
    reader = argparse.ArgumentParser(prog="scripts/simulate", description="Runs the worker against a model of Kafka.")
    reader.add_argument("--seeds", type=int, default=SEEDS, metavar="N", help=f"how many worlds (default {SEEDS})")
    reader.add_argument("--steps", type=int, default=STEPS, metavar="N", help=f"steps of each (default {STEPS})")
    reader.add_argument("--seed", type=int, default=1, metavar="S", help="the first seed; with --seeds 1 a replay")
    reader.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="processes (default: cores)")
    reader.add_argument("--history", action="store_true", help="print all that happened, not the end alone")
    asked = reader.parse_args()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)  # looking for garbage more often takes a sixth of a seed's time
    counts, broken = Counter[str](), list[int]()
    began = time.monotonic()
    seeds = range(asked.seed, asked.seed + asked.seeds)
    for number, outcome in enumerate(_outcomes(seeds, asked), start=1):
        seed = outcome.seed
        counts.update(outcome.counts)
        if outcome.broken is not None:
            broken.append(seed)
            _told(outcome, asked.steps, whole=asked.history)
        elif asked.history:
            print("\n".join(outcome.history))
        if number % 10 == 0 or number == asked.seeds:
            spent = time.monotonic() - began
            print(f"{number:,} of {asked.seeds:,} seeds, {spent:.0f} s, {len(broken)} broken", flush=True)
    print(", ".join(f"{count:,} {name}" for name, count in sorted(counts.items())))
    return 1 if broken else 0


def _outcomes(seeds: range, asked: argparse.Namespace) -> Iterator[Outcome]:
    """Yields what becomes of each seed."""
    with ProcessPoolExecutor(max(1, asked.jobs)) as pool:
        yield from pool.map(partial(simulate, steps=asked.steps), seeds, chunksize=2)


def _told(outcome: Outcome, steps: int, *, whole: bool) -> None:
    """Prints what led to a broken promise, and how to see it again."""
    print("\n".join(outcome.history if whole else outcome.history[-LAST:]))
    print(f"seed {outcome.seed}: {outcome.broken}")
    print(f"again: scripts/simulate --seed {outcome.seed} --seeds 1 --steps {steps} --history\n")


if __name__ == "__main__":
    sys.exit(main())
