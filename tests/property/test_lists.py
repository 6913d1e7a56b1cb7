"""No list raises an error; each row has one outcome, and every written record can be read."""

from __future__ import annotations

import io
from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.ground.errors import UsageError
from gatekeeper.identity import Tokens
from gatekeeper.lists import Event, Rejected, SkippedRow, dates, events, json_events, read_map, survey
from gatekeeper.lists.rows import lines, rows
from schemas.codec import decode

TOKENS = Tokens({1: bytes(32)})
MAP = read_map(
    b"""
recipient_id = { column = "a" }
method = "direct.point_card"
collected_by = "C1"
acquired_at = { column = "b" }
state = { column = "c", values = { "" = "active", x = "illicit" }, skip = ["-"] }
[[contact_points]]
id = "A"
token = { channel = "postal", name = "d", lines = ["e"] }
[[contact_points]]
id = "M"
token = { channel = "email", email = "f" }
""",
    topic="sources",
    file="map.toml",
)
CELLS = st.sampled_from(
    ["R1", "", "x", "-", "令和元年5月1日", "2020-02-30", "林 誠", "渋谷区1-2-3", "a@mail.example", '"', "a\nb", "\0"]
)
PIECES = st.sampled_from(
    [b"a,b,c,d,e,f\n", b"R1", b",", b'"', b"\n", b"\r\n", b'"a', b"x", "髙橋".encode(), "髙橋".encode("cp932"), b"\xff"]
)
ANY = st.one_of(st.binary(max_size=200), st.lists(PIECES, max_size=40).map(b"".join))


@given(st.lists(st.lists(CELLS, min_size=6, max_size=6), max_size=5))
def test_any_cells_then_each_row_is_an_event_silent_or_rejected(table: list[list[str]]) -> None:
    quoted = [",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in table]
    content = "\r\n".join(["a,b,c,d,e,f", *quoted, ""]).encode()
    found = list(_events(content))
    assert len(found) == sum(any(cell.strip() for cell in row) for row in table)
    for each in found:
        assert isinstance(each, Event | Rejected | SkippedRow)
        if isinstance(each, Event):
            assert decode("sources", each.key, each.value).recipient_id == "R1"
            assert "林".encode() not in each.value


@given(ANY)
def test_any_bytes_then_nothing_raises_but_a_header_that_cannot_be_used(content: bytes) -> None:
    form = survey(io.BytesIO(content))
    with suppress(UsageError):  # the header's: it is before any row
        _events(content)
    _events(b"a,b,c,d,e,f\n" + content)
    for each in json_events(io.BytesIO(content), topic="consents"):
        assert isinstance(each, Rejected)
    seen = [line for row in rows(io.BytesIO(content), form.encoding) for line in range(row.line, row.last_line + 1)]
    assert seen == [line.number for line in lines(io.BytesIO(content))], "each line is of one row"


@given(st.text(max_size=30), st.dates(min_value=dates.ERAS["昭和"], max_value=dates.date(2200, 12, 31)))
def test_any_text_then_a_day_or_a_refusal_and_a_day_in_its_era_is_that_day(text: str, day: dates.date) -> None:
    for read in (dates.time, dates.birth_date):
        try:
            assert read(text)
        except ValueError:
            pass
    era, first = next((name, first) for name, first in reversed(dates.ERAS.items()) if first <= day)
    year = day.year - first.year + 1
    assert dates.time(f"{era}{'元' if year == 1 else year}年{day.month}月{day.day}日") == day.isoformat()


def _events(content: bytes) -> list[Event | Rejected | SkippedRow]:
    more = {"encoding": "utf-8", "tokens": TOKENS, "id_key": bytes(32), "list_date": "2026-11-01"}
    return list(events(io.BytesIO(content), MAP, topic="sources", file="x", **more))  # type: ignore[arg-type]
