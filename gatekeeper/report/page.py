"""The report as HTML: a body for the console, and a self-contained file to print."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template, select_autoescape
from markupsafe import Markup

from gatekeeper.policy.reasons import VERDICTS
from gatekeeper.report import chart
from gatekeeper.report.authorship import PROOFS
from gatekeeper.report.summary import trend_line
from gatekeeper.report.tally import foreign
from gatekeeper.texts import Language, catalogue, text
from gatekeeper.words import Words, with_code

LEFT, ABOVE, BELOW = 64, 12, 24
"""Margins of a plot for its labels, in the plot's units."""
LABELS = 8
"""Most steps that are labelled below a plot."""
ROWS = 50
"""Most rows that a table shows; the last one sums up the others."""


def body(report: Mapping[str, Any], lang: Language) -> Markup:
    """The report as an HTML fragment, with headings from the second level on."""
    return Markup(with_code(_template("report").render(_values(report, lang))))  # noqa: S704 - autoescaped by its template


def document(report: Mapping[str, Any], lang: Language) -> str:
    """The report as one self-contained HTML file."""
    style = Markup(css())  # noqa: S704 - our own file
    return _template("document").render(**_values(report, lang), style=style, body=body(report, lang))


@cache
def css() -> str:
    """The style sheet of the report."""
    return files("gatekeeper.report").joinpath("report.css").read_text("utf-8")


def _values(report: Mapping[str, Any], lang: Language) -> dict[str, Any]:
    zone, steps = report["days"]["zone"], report["time"]["steps"]
    words = Words(lang, zone, "report")
    return {
        **words.names(),
        "lang": lang,
        "r": report,
        "foreign": foreign(report),
        "when": lambda written: words.clock(written) or "-",
        "act": lambda kind: (
            text(f"explanation.kind_{kind}", lang) if f"explanation.kind_{kind}" in catalogue() else kind
        ),
        "refusal": lambda code: (
            text(f"report.refused_{code}", lang) if f"report.refused_{code}" in catalogue() else code
        ),
        "proofs": PROOFS,
        "n": lambda number: "-" if number is None else f"{number:,}",
        "plot": chart.stacked([(one["from"], one["verdicts"]) for one in steps], VERDICTS),
        "per_cent": lambda share: "-" if share is None else f"{share // 10}.{share % 10} %",
        "trend": trend_line(report),
        "named": range(0, len(steps), -(-len(steps) // LABELS)),
        "verdicts": VERDICTS,
        "rows": ROWS,
        "left": LEFT,
        "above": ABOVE,
        "below": BELOW,
    }


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
