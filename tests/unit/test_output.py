"""Printed text of others drives no terminal, and Japanese stays Japanese."""

from __future__ import annotations

import pytest

from gatekeeper.cli.output import printable


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
