"""Measures the speed of verifying an export on one core, and the cost of its parts.

    python -m benchmarks.verify                     200,000 records
    python -m benchmarks.verify --records 1000000 --folder DIR     an export of this machine's, made once and kept
    python -m benchmarks.verify --than FILE         and the speed relative to another verify.py, in turns with it

Times are processor times of this process, as medians. Other load on the machine still shows, through the shared caches.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from hashlib import sha256
from importlib.util import module_from_spec, spec_from_file_location
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from types import ModuleType

from gatekeeper.audit.tlog import merkle
from gatekeeper.audit.verify import export_check, input_files
from tests.support.trails import Trail

SIZE = 500
"""Sends per transaction, as under load."""


def make(folder: Path, records: int) -> None:
    """Writes an export with at least that many records."""
    trail = Trail(partitions=4, seed=1, acting=0.02)
    while sum(len(step.records) for step in trail.steps) < records:
        trail.write(4, min(SIZE, max(1, records // 4)))
    trail.export(folder)


def make_apart(folder: Path, records: int) -> None:
    """Calls `make` in another process, because its leftovers would slow this one's garbage collector."""
    maker = get_context("spawn").Process(target=make, args=(folder, records))
    maker.start()
    maker.join()
    if maker.exitcode:
        sys.exit(f"no export was made: exit {maker.exitcode}")


def took(*works: Callable[[], object], rounds: int = 5) -> list[float]:
    """The median processor time in seconds of each call in this process, measured in turns."""
    found: list[list[float]] = [[] for _ in works]
    for _ in range(rounds):
        for times, work in zip(found, works, strict=True):
            began = time.process_time()
            work()
            times.append(time.process_time() - began)
    return [median(times) for times in found]


def command(folder: Path, rounds: int = 5) -> float:
    """The median processor time in seconds of an export's verify.py, run as an auditor runs it."""
    found = []
    for _ in range(rounds):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, folder / "verify.py", folder], stdout=subprocess.DEVNULL, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        found.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return median(found)


def inflate(folder: Path) -> None:
    """Inflates the records' files as the check does, and keeps nothing."""
    for path in (folder / "records").iterdir():
        with path.open("rb") as file:
            lines = input_files.Lines(iter([(path.name, file)]), lambda count: None)
            while lines.more():
                lines.at = len(lines.data)


def other(file: Path) -> ModuleType:
    """Another verify.py, loaded as a module."""
    spec = spec_from_file_location("other_verify", file)
    assert spec is not None
    assert spec.loader is not None
    sys.modules["other_verify"] = module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> None:
    """Makes an export, verifies it, and prints the times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--than", type=Path, metavar="FILE")
    given = parser.parse_args()
    folder = given.folder or Path(tempfile.mkdtemp(prefix="gatekeeper-verify-")) / "export"
    try:
        if not folder.exists():
            make_apart(folder, given.records)
        report = export_check.verify(folder)
        assert report.exit_code == 0, report.lines("en")
        checks = [export_check, *([other(given.than)] if given.than else [])]
        all_, *others = took(*[lambda check=check: check.verify(folder) for check in checks])
        n = report.records
        data = [zlib.decompress(file.read_bytes(), 31) for file in sorted((folder / "records").iterdir())]
        lines = [one.rstrip(b"\n").split(b"\n") for one in data]
        size, packed = sum(map(len, data)), sum(file.stat().st_size for file in (folder / "records").iterdir())
        print(
            f"{n:,} records of {size / n:,.0f} bytes ({packed / n:,.0f} compressed) in {report.manifests:,} manifests"
        )
        print(f"verified in {all_:.2f} s: {n / all_:,.0f} records a second on one core, {size / all_ / 1e6:,.0f} MB/s")
        alone = command(folder)
        print(f"as a command, its start included, in {alone:.2f} s: {n / alone:,.0f} records a second")
        for one in others:
            print(
                f"the other in {one:.2f} s: {n / one:,.0f} records a second; this one is {one / all_:.2f} times as fast"
            )
        parts = {
            "inflate": lambda: inflate(folder),
            "hash leaves": lambda: [sha256(b"\x00" + one).digest() for part in lines for one in part],
            "hash nodes": lambda: [merkle.root_of([one[:32] for one in part]) for part in lines],
        }
        for name, work in parts.items():
            print(f"  {name:<16} {took(work)[0] / n * 1e6:5.2f} µs a record")
        print(f"  {'all':<16} {all_ / n * 1e6:5.2f} µs a record")
    finally:
        if given.folder is None:
            shutil.rmtree(folder.parent)


if __name__ == "__main__":
    main()
