"""Printed text of others drives no terminal, and Japanese stays Japanese."""

from __future__ import annotations

import pytest
from rich.console import Console

from gatekeeper.cli import output
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


def test_told_often_then_the_bar_shows_the_sum_once_it_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    bar = output._ThrottledProgress(console=Console(quiet=True))
    task = bar.add_task("", total=None)
    monkeypatch.setattr(output, "_DRAWN_SECONDS", float("inf"))
    for _ in range(3):
        bar.advance(task)
    assert bar.tasks[0].completed == 0
    monkeypatch.setattr(output, "_DRAWN_SECONDS", -1.0)
    bar.advance(task, 2)
    assert bar.tasks[0].completed == 5


@pytest.mark.parametrize(
    ("seconds", "down", "up"),
    [(170, "2 min", "3 min"), (120, "2 min", "2 min"), (86_401, "1 d", "2 d"), (0.2, "0 s", "1 s")],
)
def test_a_span_that_is_lost_then_it_is_never_told_shorter_than_it_is(seconds: float, down: str, up: str) -> None:
    assert (age(seconds), age(seconds, up=True)) == (down, up)
