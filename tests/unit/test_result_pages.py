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


@pytest.mark.parametrize(
    "said",
    [1, None, [], ["t", "K"], ["t", "K", 1], ["t", "K", [[0]]], ["t", "K", [[0, -1]]], ["t", "K", [["0", 1]]],
     ["t", "K", [[0, 1.5]]], ["t", "K", [[0, True]]], ["t", "K", [[[], 1]]], [1, "K", []], ["t", None, []]],
)  # fmt: skip
def test_another_value_then_it_is_no_cursor(said: object) -> None:
    text = base64.urlsafe_b64encode(orjson.dumps(said)).decode()
    with pytest.raises(ValueError, match="no cursor"):
        Cursor.decode(text)


@pytest.mark.parametrize("text", ["", "?", "見本", "e", "AAAA", "*" * 9])
def test_any_other_text_then_it_is_no_cursor(text: str) -> None:
    with pytest.raises(ValueError, match="no cursor"):
        Cursor.decode(text)
