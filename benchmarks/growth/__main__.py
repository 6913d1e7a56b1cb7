"""Measures how the gate grows: people, events, clearances, fact partitions, partitions, processes, and campaigns.

Each size is measured in a process of its own. The line through the last two measured sizes gives the figures of a size
beyond them. They are marked `~` in the table and hollow in the picture. It knows no limit that lies between.

    python -m benchmarks.growth                                all, about an hour
    python -m benchmarks.growth --only people,clearances       some of them
    python -m benchmarks.growth --sizes 2                      the first two sizes of each, to try it
    python -m benchmarks.growth --json growth.json --svg growth.svg
"""

from __future__ import annotations

import argparse
import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import orjson

from benchmarks.growth import picture
from benchmarks.growth.dimensions import DIMENSIONS, Dimension, Figures


class Row(NamedTuple):
    """One size with its figures, measured or extrapolated."""

    size: int
    figures: Figures
    measured: bool = True


def main() -> None:
    """Measures the dimensions asked for, and prints a table of each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(DIMENSIONS), help="dimensions: " + ", ".join(DIMENSIONS))
    parser.add_argument("--sizes", type=int, default=99, help="number of sizes, from the smallest on")
    parser.add_argument("--json", type=Path, help="a file for every figure")
    parser.add_argument("--svg", type=Path, help="a file for the picture")
    asked = parser.parse_args()
    found = {}
    for name in asked.only.split(","):
        found[name] = measured(DIMENSIONS[name], asked.sizes)
        print(table(name, DIMENSIONS[name], found[name]) + "\n", flush=True)
    if asked.json:
        asked.json.write_bytes(orjson.dumps({name: [row._asdict() for row in rows] for name, rows in found.items()}))
    if asked.svg:
        asked.svg.write_text(picture.curves({DIMENSIONS[name].unit: rows for name, rows in found.items()}))


def _short(figure: float) -> str:
    return f"{figure:,.{0 if figure >= 100 else 1}f}"


def measured(dimension: Dimension, most: int) -> list[Row]:
    """The figures of each size, at most so many, and of the size beyond if there are two measured ones."""
    rows = []
    for size in dimension.sizes[:most]:
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as alone:
            rows.append(Row(size, alone.submit(dimension.measure, size).result()))
    if dimension.beyond and len(rows) > 1:
        rows.append(beyond(rows, dimension))
    return rows


def beyond(rows: Sequence[Row], dimension: Dimension) -> Row:
    """The sums of the size beyond, on the line through the last two rows."""
    first, last = rows[-2:]
    far = (dimension.beyond - first.size) / (last.size - first.size)
    line = {name: first.figures[name] + far * (last.figures[name] - first.figures[name]) for name in dimension.sums}
    return Row(dimension.beyond, line, measured=False)


def table(name: str, dimension: Dimension, rows: Sequence[Row]) -> str:
    """The rows as a table in Markdown; `~` marks what the line tells."""
    names = list(rows[0].figures)
    lines = [[f"{name}: {dimension.unit}", *names], ["---:"] * (len(names) + 1)]
    for row in rows:
        mark = "" if row.measured else "~"
        figures = (row.figures.get(name) for name in names)
        lines.append([f"{row.size:,}", *("" if one is None else f"{mark}{_short(one)}" for one in figures)])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    main()
