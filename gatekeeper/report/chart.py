"""Plots as numbers: positions of bars for a template to draw. Colours are classes of the style sheet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 720, 160
"""Size of a plot in its own units, which the page scales."""
GAP = 0.15
"""Share of a bar's width that stays free."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One piece of a bar, in units of the plot.

    `kind` is its class in the style sheet, `label` its bucket and `n` the number it shows.
    """

    x: float
    y: float
    width: float
    height: float
    kind: str
    label: str
    n: int


@dataclass(frozen=True, slots=True)
class Plot:
    """A bar chart: `top` is the number at full height, `labels` those of the buckets."""

    bars: tuple[Segment, ...]
    top: int
    labels: tuple[str, ...]
    width: int = WIDTH
    height: int = HEIGHT


def stacked(buckets: Sequence[tuple[str, Mapping[str, int]]], kinds: Sequence[str], *, height: int = HEIGHT) -> Plot:
    """A plot with one bar for each bucket (label, numbers by kind).

    Its kinds are stacked in order from the bottom up.
    """
    top = max((sum(numbers.get(kind, 0) for kind in kinds) for _, numbers in buckets), default=0)
    room, segments = WIDTH / max(1, len(buckets)), []
    for index, (label, numbers) in enumerate(buckets):
        y = float(height)
        for kind in kinds:
            n = numbers.get(kind, 0)
            if n:
                tall = n * height / top
                y -= tall
                x, width = index * room + room * GAP / 2, room * (1 - GAP)
                segments.append(Segment(round(x, 2), round(y, 2), round(width, 2), round(tall, 2), kind, label, n))
    return Plot(tuple(segments), top, tuple(label for label, _ in buckets), height=height)


def line(numbers: Sequence[int]) -> str:
    """The points of a line through numbers, as SVG writes them.

    x runs from 0 to 100, y from 20 (zero) up to 0 (the highest number).
    """
    top, step = max(1, *numbers), 100 / (len(numbers) - 1)
    return " ".join(f"{index * step:.1f},{20 - 20 * n / top:.1f}" for index, n in enumerate(numbers))
