"""The cursor of a campaign's results: text for a URL, and nothing else is taken for one."""

from __future__ import annotations

import base64

import orjson
import pytest

from streams.serving.result_pages import Cursor


def test_a_cursor_then_its_text_leads_back_to_it() -> None:
    cursor = Cursor("0123456789abcdef", "K-1", {0: 5, 11: 2**40})
    assert Cursor.decode(cursor.encode()) == cursor
    assert cursor.encode().isascii()
    assert "=" not in cursor.encode()


WRONG: list[object] = [1, [], ["t", "K", [[0, -1]]], ["t", "K", [["0", 1]]], ["t", "K", [[0, 1.5]]], [1, "K", []]]
TEXTS = [base64.urlsafe_b64encode(orjson.dumps(said)).decode() for said in WRONG]


@pytest.mark.parametrize("text", ["", "見本", "AAAA", "*" * 9, *TEXTS])
def test_any_other_text_then_it_is_no_cursor(text: str) -> None:
    with pytest.raises(ValueError, match="no cursor"):
        Cursor.decode(text)
