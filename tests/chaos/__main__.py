"""Rounds of chaos, one after the other, each with a seed of its own: see scripts/chaos."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
from pathlib import Path

from tests.chaos import rollback
from tests.chaos.round import run


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/chaos", description=__doc__)
    parser.add_argument("--brokers", type=int, choices=(1, 3), default=3)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--seed", type=int, default=1, help="of the first round; the next has the next")
    parser.add_argument("--folder", type=Path, help="where logs and journals stay; by default a new one")
    parser.add_argument("--worker", type=Path, help="a script that runs in place of `gatekeeper worker`")
    parser.add_argument("--nemesis", choices=("nemesis", "rollback"), default="nemesis", help="what hurts")
    given = parser.parse_args()
    folder = given.folder or Path(tempfile.mkdtemp(prefix="chaos-"))
    wrong = 0
    for seed in range(given.seed, given.seed + given.rounds):
        (folder / str(seed)).mkdir(parents=True)
        report = (rollback.run if given.nemesis == "rollback" else run)(
            folder / str(seed), brokers=given.brokers, seconds=given.seconds, seed=seed, script=given.worker
        )
        print(json.dumps(dataclasses.asdict(report), ensure_ascii=False), flush=True)
        wrong += bool(report.found)
    print(f"{given.rounds - wrong} of {given.rounds} rounds were right; logs: {folder}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
