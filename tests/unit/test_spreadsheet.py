"""No cell of a CSV file is executed by the spreadsheet that opens it, and every cell can be read back."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatekeeper.management.spreadsheet import FORMULA, SpreadsheetRows


def written(**row: object) -> str:
    out = io.StringIO(newline="")
    SpreadsheetRows(out, [*row]).write(row)
    return out.getvalue()


def read(text: str) -> dict[str, str]:
    (row,) = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    return row


@pytest.mark.parametrize(
    "start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", " =", "\u3000＝", "\ufeff="]
)
def test_a_text_that_begins_a_formula_then_it_is_text(start: str) -> None:
    assert read(written(name=f"{start}1+cmd|'/C calc'!A0"))["name"].startswith("'")


@settings(max_examples=25)
@given(st.dictionaries(st.sampled_from("abc"), st.text(st.characters(codec="utf-8"), max_size=12), min_size=1))
def test_any_texts_then_no_cell_begins_a_formula_and_nothing_else_of_them_changes(row: dict[str, str]) -> None:
    found = read(written(**row))
    for name, text in row.items():
        assert found[name] in (text, f"'{text}")
        assert not found[name].lstrip(" \u3000\u00a0\ufeff\0").startswith(FORMULA)


def test_every_cell_is_quoted_and_the_mark_comes_first() -> None:
    text = written(id="R-1", codes=("A", "B"), line=-3, none=None)
    assert text == '\ufeff"id","codes","line","none"\r\n"R-1","A B","-3",""\r\n'
