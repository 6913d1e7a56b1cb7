"""The tables of a report as a workbook for a spreadsheet; the page and the JSON hold everything else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from typing import Any

import xlsxwriter

from gatekeeper.ground.texts import Language, text
from gatekeeper.ground.words import Words
from gatekeeper.policy.reasons import VERDICTS
from gatekeeper.report.page import origin, per_cent, route
from gatekeeper.staff.act_kinds import act_name

WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
"""Media type of a workbook."""
_PLAIN = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
_NAME_LETTERS = 31
"""Longest name of a sheet."""
_WIDEST = 480
"""Widest column in pixels; a longer text goes on below."""
Table = tuple[str, Sequence[str], Sequence[Sequence[Any]]]
"""A sheet: the key of its name, the keys of its columns, and its rows of texts and numbers."""


def workbook(report: Mapping[str, Any], lang: Language) -> bytes:
    """The workbook: a sheet for each table of the report. No text in it is run as a formula."""
    made = BytesIO()
    with xlsxwriter.Workbook(made, _PLAIN) as book:
        head = book.add_format({"bold": True, "bottom": 1})
        number = book.add_format({"num_format": "#,##0", "valign": "top"})
        words = book.add_format({"text_wrap": True, "valign": "top"})
        for name, columns, rows in _tables(report, lang):
            sheet = book.add_worksheet(text(f"report.{name}", lang)[:_NAME_LETTERS].translate(_BARRED))
            sheet.freeze_panes(1, 0)
            for index, column in enumerate(columns):
                sheet.write_string(0, index, text(f"report.{column}", lang), head)
            for line, row in enumerate(rows, 1):
                for index, cell in enumerate(row):
                    if isinstance(cell, int):
                        sheet.write_number(line, index, cell, number)
                    else:
                        sheet.write_string(line, index, "-" if cell is None else str(cell), words)
            sheet.autofit(_WIDEST)
    return made.getvalue()


_BARRED = str.maketrans(dict.fromkeys("[]:*?/\\'", " "))
"""Characters that the name of a sheet must not have."""


def _tables(report: Mapping[str, Any], lang: Language) -> Iterator[Table]:
    words, names = Words(lang, report["days"]["zone"], "report"), report["names"]
    counted = [f"verdict_{verdict}" for verdict in VERDICTS]

    def verdicts(of: Mapping[str, int]) -> list[int]:
        return [of[verdict] for verdict in VERDICTS]

    yield "summary", ("column_subject", "column_figure", "column_share_of_all"), list(_summary(report, words))
    steps = [(step["from"], *verdicts(step["verdicts"])) for step in report["time"]["steps"]]
    yield "sends", (f"column_{report['time']['step']}", *counted), steps
    sources = [
        (
            route(source["route"], words),
            origin(source["origin"], words, names),
            source["sends"],
            *verdicts(source["verdicts"]),
        )
        for source in report["sources"]
    ]
    yield "sources", ("column_route", "column_list", "total", *counted), sources
    cured = ("column_released", "column_answered", "column_mended", "column_waited")
    reasons = [
        (*_reason(reason, words), reason["withheld"], reason["primary"], *reason["cured"].values())
        for reason in report["reasons"]
    ]
    columns = ("column_reason", "column_subject", "column_clause", "column_withheld", "column_primary", *cured)
    yield "reasons", columns, reasons
    clauses = [
        (clause["clause"], text(f"report.clause_{clause['clause']}", lang), clause["withheld"])
        for clause in report["clauses"]
    ]
    yield "clauses", ("column_clause", "column_subject", "column_withheld"), clauses
    cleared = [
        (words.word(f"class.{row['class']}"), row["ground"], row["template"], row["pieces"], row["said_no"])
        for row in report["cleared"]
    ]
    pieces = ("column_class", "column_ground", "column_template", "column_pieces", "column_said_no")
    yield "cleared", pieces, cleared
    recalls = [
        (words.headline(cause) if words.meaning(cause) else act_name(cause, lang), *counts)
        for cause, *counts in (
            (recall["cause"], recall["in_time"], recall["late"], recall["undated"]) for recall in report["recalls"]
        )
    ]
    yield "recalls", ("column_cause", "recall_in_time", "recall_late", "recall_undated"), recalls
    samples = [
        (
            sample["inquiry"],
            sample["did"],
            words.clock(sample["at"]),
            names.get(f"campaign/{sample['campaign']}", sample["campaign"]),
            text(f"report.proof_{sample['state']}", lang),
        )
        for sample in report["samples"]
    ]
    samples_of = ("sample_code", "sample_id", "sample_at", "sample_campaign", "sample_proof")
    yield "samples", samples_of, samples


def _reason(reason: Mapping[str, Any], words: Words) -> tuple[str, str, str]:
    return reason["code"], words.meaning(reason["code"]), words.law(reason["clause"])


def _summary(report: Mapping[str, Any], words: Words) -> Iterator[tuple[str, str | int | None, str]]:
    """The rows of the first page: a subject, a figure or a sentence, and the share of all sends."""
    t, summary, sends, withdrawals = words.t, report["summary"], report["sends"], report["withdrawals"]
    p99, trend = summary["withdrawals_p99_ms"], summary["trend"]
    yield (
        t("summary_cleared", total=f"{sends['total']:,}"),
        sends["verdicts"]["clear"],
        per_cent(summary["cleared_per_mille"]),
    )
    yield t("summary_withdrawals", total=f"{withdrawals['total']:,}"), None if p99 is None else words.span(p99), ""
    yield t("summary_late"), summary["late"], ""
    shares = trend and {**trend, "before": per_cent(trend["before"]), "after": per_cent(trend["after"])}
    yield t("summary_trend"), t("summary_change", **shares) if shares else t("summary_short"), ""
    for todo in summary["todo"]:
        reason = words.meaning(todo["reason"]) or todo["reason"] if todo["reason"] else ""
        yield t("summary_todo"), t(f"todo_{todo['code']}", count=f"{todo['count']:,}", reason=reason), ""
    if not summary["todo"]:
        yield t("summary_todo"), t("todo_none"), ""
    yield t("total"), sends["total"], ""
    for verdict in VERDICTS:
        n = sends["verdicts"][verdict]
        yield t(f"verdict_{verdict}"), n, per_cent(n * 1000 // sends["total"] if sends["total"] else None)
    yield t("withdrawn"), withdrawals["total"], ""
    yield t("bound"), withdrawals["bound"], ""
    yield t("item_open"), report["review"]["open"], ""
