"""`gatekeeper broker`: runs a Kafka of one's own, in the foreground."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from gatekeeper.ground import interruption
from gatekeeper.ground.errors import UnavailableError
from gatekeeper.ground.settings import BROKER_FILE
from gatekeeper.ground.texts import text
from streams.kafka.broker import Broker
from streams.kafka.jars import Progress as Report


@click.command("broker", help=text("cli.broker"))
@click.option("--port", type=click.IntRange(1024, 65535), help=text("cli.broker_port"))
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=BROKER_FILE.parent / "kafka",
    show_default=True,
    help=text("cli.broker_data"),
)
@click.option("--json", "as_json", is_flag=True, help=text("cli.json"))
def command(port: int | None, data: Path, as_json: bool) -> None:
    """Runs Kafka until interrupted, and announces its address to the other commands of this folder."""
    with ExitStack() as stack:
        stack.enter_context(_only_one(BROKER_FILE.parent))
        interruption.stop_on_signals()
        broker = Broker(data, port=port or 0)
        stack.callback(broker.stop)
        click.echo(text("cli.broker_starting"), err=True)
        with _download_bar() as report:
            broker.start(progress=report)
        stack.enter_context(_announced(broker.bootstrap))
        if as_json:
            click.echo(json.dumps({"bootstrap": broker.bootstrap, "pid": os.getpid()}))
        else:
            click.echo(text("cli.broker_runs", bootstrap=broker.bootstrap, data=data))
        raise broker.wait()


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Locks the folder for this process; raises UnavailableError (3) if another holds it, or it cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise UnavailableError("error.disk", path=folder, detail=error) from None
    with ExitStack() as stack:
        stack.callback(os.close, handle)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the lock ends with the process, even after a crash
        except BlockingIOError:
            raise _already_runs() from None
        yield


def _already_runs() -> UnavailableError:
    try:
        running = json.loads(BROKER_FILE.read_text("utf-8"))
        return UnavailableError("error.broker_runs", bootstrap=running["bootstrap"], pid=running["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return UnavailableError("error.broker_starting")


@contextmanager
def _announced(bootstrap: str) -> Iterator[None]:
    """Keeps the broker file while the block runs, written atomically."""
    part = BROKER_FILE.with_suffix(".part")
    try:
        part.write_text(json.dumps({"bootstrap": bootstrap, "pid": os.getpid()}) + "\n", "utf-8")
        part.replace(BROKER_FILE)
    except OSError as error:
        raise UnavailableError("error.disk", path=BROKER_FILE, detail=error) from None
    finally:
        part.unlink(missing_ok=True)
    try:
        yield
    finally:
        BROKER_FILE.unlink(missing_ok=True)


@contextmanager
def _download_bar() -> Iterator[Report]:
    """Yields a callback that draws a bar while jars arrive, if stderr is a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(text("cli.broker_fetching"), total=None, visible=False)

        def report(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total, visible=True)

        yield report
