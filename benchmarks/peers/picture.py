"""A picture of sends for a second of processor, by candidate, as SVG with the figures beside the bars."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import log10

from benchmarks.svg import BLUE, GREY, INK, begun

WIDTH, ROW, NAME, LEAST = 720, 56, 190, 100
"""Sizes in pixels, and the rate at which the logarithmic scale begins."""


def bars(rates: Sequence[tuple[str, float, float]]) -> str:
    """Two bars for each (name, cold, warm), on a logarithmic scale."""
    most = max(max(cold, warm) for _, cold, warm in rates)
    height = ROW * len(rates) + 44

    def width(rate: float) -> float:
        return (WIDTH - NAME - 90) * log10(max(rate, LEAST) / LEAST) / log10(most / LEAST)

    lines = begun("Sends for a second of processor, logarithmic scale", WIDTH, height, size=13)
    for place, (name, cold, warm) in enumerate(rates):
        top = 16 + place * ROW
        lines.append(f'<text x="8" y="{top + 26}" fill="{INK}">{escape(name)}</text>')
        for below, rate, colour in ((0, cold, "#8fb3d9"), (20, warm, BLUE)):
            lines.append(f'<rect x="{NAME}" y="{top + below}" width="{width(rate):.1f}" height="18" fill="{colour}"/>')
            end = NAME + width(rate) + 6
            lines.append(f'<text x="{end:.1f}" y="{top + below + 14}" fill="{INK}">{rate:,.0f}</text>')
    foot = f'<text x="{NAME}" y="{height - 10}" fill="{GREY}">'
    lines += [f"{foot}sends for a second of processor: light, first mailing; dark, mailed before</text>", "</svg>", ""]
    return "\n".join(lines)
