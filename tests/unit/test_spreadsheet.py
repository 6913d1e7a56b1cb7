"""No cell of a CSV file is executed by the spreadsheet that opens it, and every cell can be read back."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.cli.handoff import COLUMNS, LINES, _row
from gatekeeper.cli.rejects import Rejects
from gatekeeper.lists import Rejected
from gatekeeper.management.spreadsheet import FORMULA, SpreadsheetRows
from schemas.events import Delivery, Send
from tests.support import invented


def written(**row: object) -> str:
    out = io.StringIO(newline="")
    SpreadsheetRows(out, [*row]).write(row)
    return out.getvalue()


def read(text: str) -> dict[str, str]:
    (row,) = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    return row


def test_a_text_that_begins_a_formula_then_it_is_text() -> None:
    for start in (*"=+-@\t\r\n＝＋－＠", " =", "\u3000＝", "\ufeff="):
        assert read(written(name=f"{start}1+cmd|'/C calc'!A0"))["name"].startswith("'"), start


@given(st.dictionaries(st.sampled_from("abc"), st.text(st.characters(codec="utf-8"), max_size=12), min_size=1))
def test_any_texts_then_no_cell_begins_a_formula_and_nothing_else_of_them_changes(row: dict[str, str]) -> None:
    found = read(written(**row))
    for name, text in row.items():
        assert found[name] in (text, f"'{text}")
        assert not found[name].lstrip(" \u3000\u00a0\ufeff\0").startswith(FORMULA)


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8-sig", newline="") as handle:
        return list(csv.DictReader(handle))


@pytest.mark.parametrize("start", ["="])
def test_a_column_that_begins_a_formula_then_its_cell_is_text_in_a_second_run_too(tmp_path: Path, start: str) -> None:
    file = tmp_path / "rejected.csv"
    with Rejects(file, from_line=1, as_json=False) as rejects:
        rejects.add(Rejected(2, 2, f"{start}A1", "acquired_at", "row.time_unclear"))
    with Rejects(file, from_line=5, as_json=False) as rejects:
        rejects.add(Rejected(6, 6, "plain", "acquired_at", "row.time_unclear"))
    first, second = rows(file)
    assert (first["line"], first["column"], second["column"]) == ("2", f"'{start}A1", "plain")
    assert not any(cell.startswith(FORMULA) for row in (first, second) for cell in row.values())
    assert file.read_text("utf-8").count("\ufeff") == 1


@pytest.mark.parametrize("start", ["=", "\t"])
def test_a_piece_for_the_print_house_then_no_cell_is_executed_and_all_are_quoted(tmp_path: Path, start: str) -> None:
    send = Send.model_validate_json(json.dumps(invented.send())).model_copy(
        update={"delivery": Delivery.model_construct(name=f"{start}A1", postcode=f"{start}1", lines=(f"{start}2",) * 3)}
    )
    file = tmp_path / "out.csv"
    with file.open("w", encoding="utf-8", newline="") as handle:
        SpreadsheetRows(handle, COLUMNS).write(_row("D" * 26, send, "MUST_PRINT_STOP_CONTACT", again=False))
    (row,) = rows(file)
    assert [row["name"], row["postcode"], row["line_1"]] == [f"'{start}A1", f"'{start}1", f"'{start}2"]
    assert not any(cell.startswith(FORMULA) for cell in row.values())
    assert len([name for name in row if name.startswith("line_")]) == LINES
    assert f'"{row["name"]}","{row["postcode"]}"'.encode() in file.read_bytes()
