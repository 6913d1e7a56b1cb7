"""Printed text of others drives no terminal, and Japanese stays Japanese."""

from __future__ import annotations

import pytest

from gatekeeper.cli.output import age, printable


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        ("見本\u3000株式会社".encode(), "見本\u3000株式会社"),
        (b"\x1b[2J\n", "\\x1b[2J\\n"),
        ("\u202e\u00a0\u2028".encode(), "\\u202e\\xa0\\u2028"),
        (b"\xff", "\\xff"),
    ],
)
def test_bytes_of_others_then_only_what_drives_no_terminal_is_shown_as_it_is(data: bytes, shown: str) -> None:
    assert printable(data) == shown


@pytest.mark.parametrize(
    ("seconds", "down", "up"),
    [(170, "2 min", "3 min"), (86_401, "1 d", "2 d")],
)
def test_a_span_that_is_lost_then_it_is_never_told_shorter_than_it_is(seconds: float, down: str, up: str) -> None:
    assert (age(seconds), age(seconds, up=True)) == (down, up)
