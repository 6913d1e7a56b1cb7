"""Plots as numbers: where the bars of a plot stand, for a template to draw. Colours are classes of the style sheet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 720, 160
"""The plot's own units, which the page scales."""
GAP = 0.15
"""Of the room of a bar, what is left free."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One piece of a bar, in units of the plot; `kind` is its class, `label` and `n` what it stands for."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    label: str
    n: int


@dataclass(frozen=True, slots=True)
class Plot:
    """Bars with the number that the full height stands for, and the labels of the buckets."""

    bars: tuple[Segment, ...]
    top: int
    labels: tuple[str, ...]
    width: int = WIDTH
    height: int = HEIGHT


def stacked(buckets: Sequence[tuple[str, Mapping[str, int]]], kinds: Sequence[str], *, height: int = HEIGHT) -> Plot:
    """A bar for each bucket (label, numbers by kind), its kinds in this order from the bottom up."""
    top = max((sum(numbers.get(kind, 0) for kind in kinds) for _, numbers in buckets), default=0)
    room, found = WIDTH / max(1, len(buckets)), []
    for place, (label, numbers) in enumerate(buckets):
        y = float(height)
        for kind in kinds:
            n = numbers.get(kind, 0)
            if n:
                tall = n * height / top
                y -= tall
                x, width = place * room + room * GAP / 2, room * (1 - GAP)
                found.append(Segment(round(x, 2), round(y, 2), round(width, 2), round(tall, 2), kind, label, n))
    return Plot(tuple(found), top, tuple(label for label, _ in buckets), height=height)


def line(numbers: Sequence[int]) -> str:
    """The points of a line through numbers, from left to right over 0-100, the highest of them at 0 of 0-20."""
    top, step = max(1, *numbers), 100 / (len(numbers) - 1)
    return " ".join(f"{place * step:.1f},{20 - 20 * n / top:.1f}" for place, n in enumerate(numbers))
