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

from tests.simulation.lines import Lines
from tests.simulation.simulation import Outcome, simulate

SEEDS, STEPS = 200, 300
LEAST = 0.8
"""Below this the worker's code is not what was simulated."""
TRACED = 3
"""Number of seeds that are traced. The others run faster, and run the same lines."""
MODULES = tuple(
    f"streams.worker.{name}"
    for name in (
        *(
            "acts",
            "batch",
            "batch_input",
            "clock",
            "commit_pacing",
            "commits",
            "dead_facts",
            "facts",
            "gate",
            "group_offsets",
        ),
        *(
            "intake",
            "kept_ledger",
            "ledger",
            "ledger_reader",
            "offsets",
            "ownership_epoch",
            "partition",
            "reevaluation",
            "takeover",
            "torn_transaction_reader",
            "transaction",
        ),
        *("unread_facts", "worker_context"),
    )
)
"""The modules that a simulated worker runs. It leaves out those between it and Faust, the process, the network or the
disk: `app`, `chunks`, `clients`, `health`, `kept_facts`, `open_transactions`, `process`, `supervisor` and `workers`."""
LAST = 60


def main() -> int:
    """Returns 0 where every promise held and enough of the worker ran, else 1."""
    reader = argparse.ArgumentParser(prog="scripts/simulate", description="Runs the worker against a model of Kafka.")
    reader.add_argument("--seeds", type=int, default=SEEDS, metavar="N", help=f"how many worlds (default {SEEDS})")
    reader.add_argument("--steps", type=int, default=STEPS, metavar="N", help=f"steps of each (default {STEPS})")
    reader.add_argument("--seed", type=int, default=1, metavar="S", help="the first seed; with --seeds 1 a replay")
    reader.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="processes (default: cores)")
    reader.add_argument("--history", action="store_true", help="print all that happened, not the end alone")
    asked = reader.parse_args()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)  # looking for garbage more often takes a sixth of a seed's time
    lines, counts, broken = Lines(MODULES), Counter[str](), list[int]()
    began = time.monotonic()
    for number, outcome in enumerate(_outcomes(asked, lines), start=1):
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
    enough = _covered(lines) >= LEAST or asked.seeds < TRACED
    return 1 if broken or not enough else 0


def _outcomes(asked: argparse.Namespace, lines: Lines) -> Iterator[Outcome]:
    """Yields what becomes of each seed: the first ones here, where their lines are counted, beside them the rest."""
    seeds = range(asked.seed, asked.seed + asked.seeds)
    with ProcessPoolExecutor(max(1, asked.jobs)) as pool:
        rest = pool.map(partial(simulate, steps=asked.steps), seeds[TRACED:], chunksize=2)
        for seed in seeds[:TRACED]:
            with lines.counted():
                outcome = simulate(seed, asked.steps)
            yield outcome
        yield from rest


def _told(outcome: Outcome, steps: int, *, whole: bool) -> None:
    """Prints what led to a broken promise, and how to see it again."""
    print("\n".join(outcome.history if whole else outcome.history[-LAST:]))
    print(f"seed {outcome.seed}: {outcome.broken}")
    print(f"again: scripts/simulate --seed {outcome.seed} --seeds 1 --steps {steps} --history\n")


def _covered(lines: Lines) -> float:
    """Prints which share of the worker's lines ran, and which did not."""
    for module in MODULES:
        left = ", ".join(map(str, lines.left(module)))
        print(f"{lines.share(module):6.1%} {module.removeprefix('streams.worker.'):<13} {left}")
    share = lines.share()
    print(f"{share:6.1%} of the lines of streams/worker that a simulation can run; at least {LEAST:.0%}")
    return share


if __name__ == "__main__":
    sys.exit(main())
