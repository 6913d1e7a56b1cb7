"""The colours of the console: text can be read on each ground it stands on, in light and dark."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gatekeeper.console import view

SHEET = (Path(view.__file__).parent / "static" / "console.css").read_text("utf-8")
ON = {
    "text": ("ground", "surface", "tint"),
    "quiet": ("ground", "surface", "tint"),
    "accent": ("ground", "surface", "tint"),
    "on-accent": ("accent",),
    "late": ("ground", "surface", "tint", "late-tint"),
    "soon": ("ground", "surface", "tint", "soon-tint"),
    "good": ("surface", "good-tint"),
}
"""Colours of text, and the grounds on which they stand."""
LINES = {"edge": ("ground", "surface")}
"""Colours of borders by which a control is known, which need 3:1 (WCAG 2.2, 1.4.11)."""


def schemes() -> dict[str, dict[str, tuple[float, ...]]]:
    """Returns the colours of each scheme by token, each as red, green and blue."""
    blocks = re.findall(r":root \{(.*?)\}", SHEET, re.S)
    return {name: _colours(block) for name, block in zip(("light", "dark"), blocks, strict=False)}


def _colours(block: str) -> dict[str, tuple[float, ...]]:
    found = {}
    for token, written in re.findall(r"--([a-z-]+): #([0-9a-f]{3,6});", block):
        digits = "".join(2 * digit for digit in written) if len(written) == 3 else written
        found[token] = tuple(int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4))
    return found


def contrast(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Returns the contrast of two colours by WCAG 2.2."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: tuple[float, ...]) -> float:
    parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("pairs", "least"), [(ON, 4.5), (LINES, 3.0)], ids=["text", "borders"])
def test_a_colour_then_it_can_be_told_from_each_ground_it_stands_on(
    scheme: str, pairs: dict[str, tuple[str, ...]], least: float
) -> None:
    colours = schemes()[scheme]
    assert len(colours) > 10
    low = {
        (token, ground): round(contrast(colours[token], colours[ground]), 2)
        for token, grounds in pairs.items()
        for ground in grounds
        if contrast(colours[token], colours[ground]) < least
    }
    assert low == {}
