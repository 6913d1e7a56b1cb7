"""How the verbs speak: data on stdout as a table or as JSON, one value a line; notes and progress on stderr."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict, is_dataclass
from typing import Any

import click
import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from gatekeeper.texts import text

json_option = click.option("--json", "as_json", is_flag=True, help=text("cli.json"))

_AGES = ((86_400, "cli.age_days"), (3_600, "cli.age_hours"), (60, "cli.age_minutes"), (1, "cli.age_seconds"))


def show_json(value: Any) -> None:
    """Prints a value as one line of JSON on stdout; a data class becomes an object."""
    plain = asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
    click.echo(orjson.dumps(plain).decode())


def show_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, numbers: Sequence[int] = ()) -> None:
    """Prints a table on stdout, `columns` being catalogue keys; those at `numbers` are set to the right.

    On a terminal it fits the width; elsewhere no cell is ever cut, so that other programs can read it.
    """
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 100_000
    table = Table(box=None, pad_edge=False, header_style="bold")
    for place, column in enumerate(columns):
        table.add_column(text(column), justify="right" if place in numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell if isinstance(cell, str) else f"{cell:,}") for cell in row))
    console.print(table)


def note(key: str, **values: Any) -> None:
    """Prints one sentence of the catalogue on stderr."""
    click.echo(text(key, **values), err=True)


def progress_bar() -> Progress:
    """Returns a progress bar for stderr that draws nothing where stderr is not a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal, transient=True)


def age(seconds: float) -> str:
    """Returns a span of time in its largest whole unit, in the reader's language."""
    whole = max(0, int(seconds))
    unit, key = next((pair for pair in _AGES if whole >= pair[0]), _AGES[-1])
    return text(key, count=whole // unit)


def printable(data: bytes) -> str:
    """Returns bytes as text that cannot drive a terminal: what is not UTF-8 or not printable is escaped."""
    whole = data.decode("utf-8", "backslashreplace")
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in whole)


def by_terminal(context: click.Context, parameter: click.Parameter, value: bool | None) -> bool:
    """Returns whether JSON is wanted: as asked, else wherever stdout is no terminal."""
    return not sys.stdout.isatty() if value is None else value


lines_option = click.option(
    "--json/--table", "as_json", default=None, callback=by_terminal, help=text("cli.json_or_table")
)
