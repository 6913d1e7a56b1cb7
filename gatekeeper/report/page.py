"""The report as HTML: a body for the console, and a self-contained file to print."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template, select_autoescape
from markupsafe import Markup

from gatekeeper.ground.texts import Language, catalogue, text
from gatekeeper.ground.words import Words, with_code, with_names
from gatekeeper.policy.reasons import VERDICTS
from gatekeeper.report import chart
from gatekeeper.report.authorship import PROOFS
from gatekeeper.report.summary import trend_line
from gatekeeper.report.tally import foreign
from gatekeeper.staff.act_kinds import act_name

LEFT, ABOVE, BELOW = 64, 12, 24
"""Margins of a plot for its labels, in the plot's units."""
LABELS = 8
"""Most steps that are labelled below a plot."""
ROWS = 50
"""Most rows that a table shows; the last one sums up the others."""
_HEAD = re.compile(r'<th scope="col"[^>]*>(.*?)</th>')
_ROW = re.compile(r"<tr>(?:(?!</tr>).)*</tr>", re.DOTALL)
_CELL = re.compile(r"<t[hd]\b([^>]*)>")


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


def origin(key: str, words: Words, names: Mapping[str, str]) -> str:
    """A list or form as people call it; '-' for data that came by neither. `key`: the origin of a report's source."""
    kind, _, id_ = key.partition("/")
    if kind == "method":
        return "-"
    return words.t("page.origin_none") if key == "none" else words.t(f"page.origin_{kind}", id=names.get(key, id_))


def route(method: str, words: Words) -> str:
    """A method of acquisition in words. `method`: its name, or `none`."""
    return words.t("page.origin_none") if method == "none" else words.word(f"method.{method}")


def per_cent(share: int | None) -> str:
    """A share in per mille as a percentage with one decimal; '-' of nothing."""
    return "-" if share is None else f"{share // 10}.{share % 10} %"


def labelled(table: str) -> Markup:
    """The rows of a table whose cells carry the name of their column, which a phone shows beside them.

    `table`: escaped HTML with a head. A cell across columns gets no name, nor the head of a row that is no number.
    """
    heads = _HEAD.findall(table)

    def row(match: re.Match[str]) -> str:
        names = iter(heads)

        def cell(tag: re.Match[str]) -> str:
            name, bare = next(names), tag[0].startswith("<th") and "number" not in tag[1]
            return tag[0] if bare or "colspan" in tag[1] else f'{tag[0][:-1]} data-label="{name}">'

        return _CELL.sub(cell, match[0])

    head, end, rows = str(table).partition("</thead>")
    return Markup(head + end + _ROW.sub(row, rows))  # noqa: S704 - as escaped as it came


def _values(report: Mapping[str, Any], lang: Language) -> dict[str, Any]:
    zone, steps = report["days"]["zone"], report["time"]["steps"]
    words = Words(lang, zone, "report")
    return {
        **words.names(),
        "with_names": with_names,
        "lang": lang,
        "r": report,
        "foreign": foreign(report),
        "when": lambda written: words.clock(written) or "-",
        "act": lambda kind: act_name(kind, lang),
        "origin": lambda key: origin(key, words, report["names"]),
        "route": lambda method: route(method, words),
        "refusal": lambda code: (
            text(f"report.refused_{code}", lang) if f"report.refused_{code}" in catalogue() else code
        ),
        "proofs": PROOFS,
        "n": lambda number: "-" if number is None else f"{number:,}",
        "plot": chart.stacked([(step["from"], step["verdicts"]) for step in steps], VERDICTS),
        "per_cent": per_cent,
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
    made = Environment(
        loader=PackageLoader("gatekeeper.report"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["labelled"] = labelled
    return made


def _template(name: str) -> Template:
    return _environment().get_template(f"{name}.html")
