"""Output of the verbs: data on stdout as a table or as JSON lines, notes and progress on stderr."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from math import ceil
from pathlib import Path
from tempfile import NamedTemporaryFile
from time import monotonic
from typing import IO, Any, Literal

import click
import orjson
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from gatekeeper.ground.errors import UnavailableError
from gatekeeper.ground.texts import text
from gatekeeper.policy.reasons import VERDICTS
from schemas.decision import Verdict

json_option = click.option("--json", "as_json", is_flag=True, help=text("cli.json"))

_BAR = 30
_DRAWN_SECONDS = 0.1
_SPACE = "\u3000"
"""The space of Japanese text, which Python counts as unprintable."""
_AGES = ((86_400, "cli.age_days"), (3_600, "cli.age_hours"), (60, "cli.age_minutes"), (1, "cli.age_seconds"))


def show_json(value: Any) -> None:
    """Prints a value as one line of JSON on stdout; a data class becomes an object."""
    plain = asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
    click.echo(orjson.dumps(plain).decode())


def show_table(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], *, numbers: Sequence[int] = (), whole: Sequence[int] = ()
) -> None:
    """Prints a table on stdout. `columns`: keys of the catalogue. `numbers`: the right-aligned columns.

    On a terminal the table fits the width, and columns at `whole` are broken last. Elsewhere no cell is ever cut, so
    that other programs can read it.
    """
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 100_000
    table = Table(box=None, pad_edge=False, header_style="bold")
    for index, column in enumerate(columns):
        side: Literal["right", "left"] = "right" if index in numbers else "left"
        table.add_column(text(column), justify=side, overflow="fold", no_wrap=index in whole)
    for row in rows:
        table.add_row(*(Text(cell if isinstance(cell, str) else f"{cell:,}") for cell in row))
    console.print(table)


def show_funnel(counts: Mapping[tuple[Verdict, str], int]) -> None:
    """Prints sends by verdict and primary reason ('' if clear): mildest verdict first, then the most frequent."""
    order = sorted(counts.items(), key=lambda row: (VERDICTS.index(row[0][0]), -row[1], row[0][1]))
    total = sum(counts.values())
    rows = [(verdict, reason, n, share(n, total), n) for (verdict, reason), n in order]
    columns = ("verdict", "primary", "sends", "share")
    show_bars([f"cli.column_{column}" for column in columns], rows, total=total, numbers=(2, 3))


def show_bars(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], *, total: int, numbers: Sequence[int] = ()
) -> None:
    """Prints a table whose rows end in one extra count, drawn on a terminal as a bar. `total`: the full bar."""
    if Console().is_terminal:
        drawn = [(*row[:-1], "█" * max(1, round(_BAR * row[-1] / total)) if row[-1] else "") for row in rows]
        show_table((*columns, "cli.column_bar"), drawn, numbers=numbers, whole=(0, 1))
    else:
        show_table(columns, [row[:-1] for row in rows], numbers=numbers)


def share(n: int, total: int) -> str:
    """A part of a whole in per cent."""
    return f"{100 * n / (total or 1):.1f} %"


def show_heading(key: str) -> None:
    """Prints a heading of the catalogue on stdout, after an empty line."""
    console = Console(highlight=False, soft_wrap=True)
    console.print()
    console.print(Text(text(key), style="bold"))


def note(key: str, **values: Any) -> None:
    """Prints one sentence of the catalogue on stderr."""
    click.echo(text(key, **values), err=True)


@contextmanager
def whole(file: Path, mode: Literal["w", "wb"] = "w") -> Iterator[IO[Any]]:
    """Yields a handle to write text to, or bytes with `wb`; the file takes its place only when complete.

    It is readable by its owner alone. A pipe or a device is written to directly, and a link stays a link.
    Raises UnavailableError (3) if the file cannot be written.
    """
    part = None
    how: dict[str, Any] = {} if mode == "wb" else {"encoding": "utf-8", "newline": ""}
    try:
        if file.exists() and not file.is_file():
            with file.open(mode, **how) as handle:
                yield handle
            return
        target = Path(os.path.realpath(file))
        with NamedTemporaryFile(mode, dir=target.parent, delete=False, **how) as handle:
            part = Path(handle.name)
            yield handle
        part.replace(target)
    except OSError as error:
        raise UnavailableError("error.disk", path=file, detail=error) from None
    finally:
        if part is not None:
            part.unlink(missing_ok=True)


class _ThrottledProgress(Progress):
    """Passes on what it is told ten times a second. Telling rich of a record takes half as long as parsing it.

    It draws itself then, without rich's thread: a process with two threads must not fork.
    """

    def __init__(self, *columns: ProgressColumn, **more: Any) -> None:
        super().__init__(*columns, auto_refresh=False, **more)
        self._told: Counter[TaskID] = Counter()
        self._at = 0.0

    def advance(self, task_id: TaskID, advance: float = 1) -> None:
        """Counts; the task shows it a tenth of a second later at most, if it is told more by then."""
        if self.disable:
            return
        self._told[task_id] += advance  # type: ignore[assignment]
        if (now := monotonic()) - self._at > _DRAWN_SECONDS:
            self._at = now
            counts, self._told = self._told, Counter()
            for task, count in counts.items():
                super().advance(task, count)
            self.refresh()

    def update(self, task_id: TaskID, **fields: Any) -> None:
        """Sets fields of a task, and draws ten times a second at most."""
        drawn = (now := monotonic()) - self._at > _DRAWN_SECONDS
        super().update(task_id, refresh=drawn, **fields)
        if drawn:
            self._at = now


def progress_bar() -> Progress:
    """A progress bar for stderr that draws nothing where stderr is not a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return _ThrottledProgress(*columns, console=console, disable=not console.is_terminal, transient=True)


@contextmanager
def reading(key: str = "cli.records_reading") -> Iterator[Callable[[], None]]:
    """Yields a function to be called for each record that is read; a progress bar shows their number."""
    with progress_bar() as bar:
        task = bar.add_task(text(key), total=None)
        yield lambda: bar.advance(task)


def age(seconds: float, *, up: bool = False) -> str:
    """A span of time in its largest whole unit, in the reader's language. `up`: rounded up, for a loss."""
    whole = max(0, ceil(seconds) if up else int(seconds))
    unit, key = next((pair for pair in _AGES if whole >= pair[0]), _AGES[-1])
    return text(key, count=-(-whole // unit) if up else whole // unit)


def printable(data: bytes) -> str:
    """Bytes as text that cannot control a terminal: invalid UTF-8 and unprintable characters are escaped."""
    whole = data.decode("utf-8", "backslashreplace")
    shown = (char if char.isprintable() or char == _SPACE else char.encode("unicode_escape").decode() for char in whole)
    return "".join(shown)


def by_terminal(context: click.Context, parameter: click.Parameter, value: bool | None) -> bool:
    """Tells whether to print JSON: as asked, else if stdout is no terminal."""
    return not sys.stdout.isatty() if value is None else value


lines_option = click.option(
    "--json/--table", "as_json", default=None, callback=by_terminal, help=text("cli.json_or_table")
)
