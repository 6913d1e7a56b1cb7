"""Measures how fast an export is verified on one core, and what its parts cost.

python -m benchmarks.verify                     200,000 records
python -m benchmarks.verify --records 1000000 --folder DIR     an export of this machine's, made once and kept
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
import zlib
from collections.abc import Callable, Iterable
from hashlib import sha256
from pathlib import Path

from gatekeeper.audit import verify
from tests.trails import Trail

SIZE = 500
"""Sends a transaction, as under load."""


def made(folder: Path, records: int) -> Trail:
    """Writes an export with at least so many records."""
    trail = Trail(partitions=4, seed=1, acting=0.02)
    while sum(len(step.records) for step in trail.steps) < records:
        trail.write(4, SIZE)
    trail.export(folder)
    return trail


def best(work: Callable[[], object], rounds: int = 3) -> float:
    """Returns the shortest time of this process's in seconds: what others do on the machine is not ours."""
    found = []
    for _ in range(rounds):
        began = time.process_time()
        work()
        found.append(time.process_time() - began)
    return min(found)


def raw(folder: Path) -> Iterable[bytes]:
    """Yields what the records' files hold, decompressed."""
    for file in sorted((folder / "records").iterdir()):
        yield zlib.decompress(file.read_bytes(), 31)


def main() -> None:
    """Makes an export, verifies it, and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    folder = given.folder or Path(tempfile.mkdtemp(prefix="gatekeeper-verify-")) / "export"
    try:
        if not folder.exists():
            made(folder, given.records)
        report = verify.verify(folder)
        assert report.exit_code == 0, report.lines("en")
        took = best(lambda: verify.verify(folder))
        n = report.records
        data = list(raw(folder))
        lines = [one.rstrip(b"\n").split(b"\n") for one in data]
        size, packed = sum(map(len, data)), sum(file.stat().st_size for file in (folder / "records").iterdir())
        print(
            f"{n:,} records of {size / n:,.0f} bytes ({packed / n:,.0f} compressed) in {report.manifests:,} manifests"
        )
        print(f"verified in {took:.2f} s: {n / took:,.0f} records a second on one core, {size / took / 1e6:,.0f} MB/s")
        parts = {
            "decompress": lambda: list(raw(folder)),
            "hash leaves": lambda: [sha256(b"\x00" + one).digest() for part in lines for one in part],
            "hash nodes": lambda: [verify.root_of([one[:32] for one in part]) for part in lines],
            "look for floats": lambda: [verify.holds_float(one) for one in data],
        }
        for name, work in parts.items():
            print(f"  {name:<16} {best(work) / n * 1e6:5.2f} µs a record")
        print(f"  {'all':<16} {took / n * 1e6:5.2f} µs a record")
    finally:
        if given.folder is None:
            shutil.rmtree(folder.parent)


if __name__ == "__main__":
    main()
