"""A picture of the figures by size, as SVG: filled dots are measured, hollow ones extrapolated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from math import log10
from typing import Any

from benchmarks.svg import BLUE, GREY, INK, begun

WIDTH, HEIGHT, LEFT, TOP = 340, 150, 16, 34
"""Sizes in pixels: of one panel, and of the room at its left and above it."""


def curves(rows: Mapping[str, Sequence[Any]]) -> str:
    """One panel for each unit and figure, sizes and figures on logarithmic scales."""
    panels = [(unit, name, found) for unit, found in rows.items() for name in found[0].figures]
    height = (HEIGHT + 2 * TOP) * -(-len(panels) // 2)
    title = "Figures by size: filled dots are measured, hollow ones extrapolated"
    parts = begun(title, 2 * WIDTH + 40, height, size=12)
    for place, (unit, name, found) in enumerate(panels):
        across, down = place % 2 * (WIDTH + 20) + LEFT, place // 2 * (HEIGHT + 2 * TOP) + TOP
        parts += _panel(
            f"{name}, by {unit}",
            [(row.size, row.figures[name], row.measured) for row in found if name in row.figures],
            across,
            down,
        )
    return "\n".join([*parts, "</svg>", ""])


def _panel(title: str, dots: Sequence[tuple[int, float, bool]], across: int, down: int) -> list[str]:
    xs, ys = _placed([x for x, _, _ in dots], WIDTH - 60), _placed([max(y, 0.001) for _, y, _ in dots], HEIGHT - 40)
    places = [(across + 20 + x, down + HEIGHT - 24 - y) for x, y in zip(xs, ys, strict=True)]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    parts = [
        f'<text x="{across}" y="{down - 8}" fill="{INK}" font-weight="bold">{escape(title)}</text>',
        f'<polyline points="{path}" fill="none" stroke="{BLUE}" stroke-width="1"/>',
    ]
    for (x, y), (size, figure, measured) in zip(places, dots, strict=True):
        fill = BLUE if measured else "#fff"
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{fill}" stroke="{BLUE}"/>')
        parts.append(f'<text x="{x:.1f}" y="{y - 8:.1f}" fill="{INK}" text-anchor="middle">{_short(figure)}</text>')
        below = f'y="{down + HEIGHT - 2}" fill="{GREY}" text-anchor="middle"'
        parts.append(f'<text x="{x:.1f}" {below}>{_short(size)}</text>')
    return parts


def _placed(values: Sequence[float], room: float) -> list[float]:
    """The places of the values on a logarithmic scale; a scale of less than a tenfold is stretched to that."""
    least, most = min(values), max(values)
    spread = max(log10(most / least), 1.0)
    return [room * log10(value / least) / spread for value in values]


def _short(value: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"
