"""The report as a page for people: the body that the console shows, and a whole file that stands alone and prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template, select_autoescape
from markupsafe import Markup

from gatekeeper.reasons import VERDICTS
from gatekeeper.spans import span
from gatekeeper.texts import Language
from gatekeeper.words import Words

WIDTH, HEIGHT = 720, 220
LEFT, TOP, BOTTOM = 64, 12, 28
LABELS = 8
"""So many steps at most are named below a drawing."""
ROWS = 50
"""So many rows of a table are shown; the others stand together in the last one."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One rectangle of a drawing, in its units, and the verdict that it counts."""

    verdict: str
    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Drawing:
    """A stacked bar for each step: rectangles, the numbers at the left with their height, the names below."""

    bars: tuple[Bar, ...]
    ticks: tuple[tuple[int, int], ...]
    names: tuple[tuple[int, str], ...]


def draw(steps: Sequence[Mapping[str, Any]]) -> Drawing:
    """Returns the drawing of verdicts over time; every count above nothing is at least one unit high."""
    most = _round(max((sum(step["verdicts"].values()) for step in steps), default=0))
    high, wide = HEIGHT - TOP - BOTTOM, (WIDTH - LEFT) / max(1, len(steps))
    bars, names = [], []
    for place, step in enumerate(steps):
        x, y = LEFT + int(place * wide), TOP + high
        for verdict in VERDICTS:
            if n := step["verdicts"][verdict]:
                height = max(1, high * n // most)
                y -= height
                bars.append(Bar(verdict, x, y, max(1, int(wide * 4 / 5)), height))
        if place % -(-len(steps) // LABELS) == 0:
            names.append((x, step["from"]))
    ticks = tuple((TOP + high - high * n // most, n) for n in (0, most // 2, most))
    return Drawing(tuple(bars), ticks, tuple(names))


def body(report: Mapping[str, Any], lang: Language) -> Markup:
    """Returns the report as HTML to stand in a page, its headings from the second level on."""
    return Markup(_template("report").render(_values(report, lang)))  # noqa: S704 - autoescaped by its template


def document(report: Mapping[str, Any], lang: Language) -> str:
    """Returns the report as one HTML file that needs nothing else."""
    style = Markup(css())  # noqa: S704 - our own file
    return _template("document").render(**_values(report, lang), style=style, body=body(report, lang))


@cache
def css() -> str:
    """Returns the sheet of the report."""
    return files("gatekeeper.report").joinpath("report.css").read_text("utf-8")


def _values(report: Mapping[str, Any], lang: Language) -> dict[str, Any]:
    zone = report["days"]["zone"]
    words = Words(lang, zone, "report")
    return {
        **words.names(),
        "lang": lang,
        "r": report,
        "when": lambda text: words.time(None if text is None else span(text, "UTC").first // 1000),
        "n": lambda number: "-" if number is None else f"{number:,}",
        "drawing": draw(report["time"]["steps"]),
        "verdicts": VERDICTS,
        "rows": ROWS,
        "size": (WIDTH, HEIGHT, LEFT),
    }


def _round(most: int) -> int:
    """Returns the next even number of one digit that counts, at least two, as the top of an axis."""
    unit = int("1" + "0" * (len(str(most)) - 1))
    found = -(-most // unit) * unit
    return max(2, found + found % 2)


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("gatekeeper.report"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _template(name: str) -> Template:
    return _environment().get_template(f"{name}.html")
