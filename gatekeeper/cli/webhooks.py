"""`gatekeeper webhooks`: posts events to endpoints, lists what was not delivered, and posts it again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gatekeeper.cli.output import age, json_option, note, show_json, show_table
from gatekeeper.ground import log
from gatekeeper.ground.errors import UsageError
from gatekeeper.ground.settings import Settings, load
from gatekeeper.ground.texts import catalogue, near, text
from gatekeeper.ground.times import instant, span

if TYPE_CHECKING:
    from gatekeeper.webhooks.endpoints import Endpoint
    from gatekeeper.webhooks.outbox import Outbox

endpoints_option = click.option(
    "--endpoints", "file", type=click.Path(path_type=Path), help=text("cli.webhooks_endpoints")
)


@click.group("webhooks", help=text("cli.webhooks"))
def command() -> None:
    """Holds the sub-commands."""


@command.command("run", help=text("cli.webhooks_run"))
@endpoints_option
@click.option("--since", help=text("cli.webhooks_since"))
@json_option
def run(file: Path | None, since: str | None, as_json: bool) -> None:
    """Delivers until it is interrupted; prints the address of the health page once it runs."""
    from gatekeeper.webhooks import runner

    settings = load()
    endpoints = _endpoints(settings, file)
    log.configure(settings.log_level)

    def started(port: int) -> None:
        url = f"http://{settings.http_host}:{port}/readyz"
        if as_json:
            show_json({"health": url, "endpoints": [endpoint.id for endpoint in endpoints]})
        else:
            click.echo(text("cli.webhooks_runs", count=len(endpoints), url=url))
        if any("seal.late" in endpoint.events for endpoint in endpoints) and not settings.log_folder.exists():
            note("cli.webhooks_no_log", folder=settings.log_folder)

    runner.run(settings, endpoints, since=_instant(since), started=started)


@command.command("list", help=text("cli.webhooks_list"))
@endpoints_option
@json_option
def list_(file: Path | None, as_json: bool) -> None:
    """Prints the backlog of each endpoint; exit 1 if one has dead letters, or wants no more events."""
    settings = load()
    endpoints, outbox = _endpoints(settings, file), _outbox(settings)
    now, backlogs = _now(), {endpoint.id: outbox.backlog(endpoint.id) for endpoint in endpoints}
    if as_json:
        for id_, backlog in backlogs.items():
            row: dict[str, Any] = {
                "endpoint": id_,
                "waiting": backlog.waiting,
                "tried": backlog.tried,
                "answer": backlog.answer,
            }
            show_json(row | {"oldest": _when(backlog.oldest), "dead": backlog.dead, "gone": _when(backlog.gone)})
    else:
        show_table(
            [f"cli.column_{name}" for name in ("endpoint", "waiting_events", "oldest", "answer", "dead", "state")],
            [
                (
                    id_,
                    backlog.waiting,
                    age((now - backlog.oldest) / 1000) if backlog.oldest else "-",
                    _answer(backlog.answer),
                    backlog.dead,
                    text(f"cli.webhooks_{'gone' if backlog.gone else 'open'}"),
                )
                for id_, backlog in backlogs.items()
            ],
            numbers=(1, 2, 4),
        )
    click.get_current_context().exit(1 if any(backlog.dead or backlog.gone for backlog in backlogs.values()) else 0)


@command.command("dead", help=text("cli.webhooks_dead"))
@click.argument("endpoint", required=False)
@json_option
def dead(endpoint: str | None, as_json: bool) -> None:
    """Prints the dead letters, of one endpoint or all; exit 1 if there are any."""
    letters = _outbox(load()).dead(endpoint)
    if as_json:
        for letter in letters:
            row = {"endpoint": letter.endpoint, "id": letter.id, "type": letter.type, "at": instant(letter.at)}
            show_json(row | {"dead": instant(letter.since), "tries": letter.tries, "answer": letter.answer})
    elif letters:
        show_table(
            [f"cli.column_{name}" for name in ("endpoint", "id", "webhook", "at", "dead", "tries", "answer")],
            [
                (
                    letter.endpoint,
                    letter.id,
                    letter.type,
                    instant(letter.at),
                    instant(letter.since),
                    letter.tries,
                    _answer(letter.answer),
                )
                for letter in letters
            ],
            numbers=(5,),
        )
    else:
        note("cli.webhooks_none_dead")
    click.get_current_context().exit(1 if letters else 0)


@command.command("replay", help=text("cli.webhooks_replay"))
@click.argument("endpoint")
@click.argument("ids", metavar="[ID]...", nargs=-1)
@endpoints_option
@json_option
def replay(endpoint: str, ids: Sequence[str], file: Path | None, as_json: bool) -> None:
    """Queues dead letters of an endpoint again, all of them without ids; they keep their ids."""
    settings = load()
    _known(_endpoints(settings, file), endpoint)
    n = _outbox(settings).replay(endpoint, ids, now=_now())
    if as_json:
        show_json({"endpoint": endpoint, "replayed": n})
    else:
        click.echo(text("cli.webhooks_replayed", endpoint=endpoint, count=f"{n:,}"))


@command.command("try", help=text("cli.webhooks_try"))
@click.argument("endpoint")
@endpoints_option
@json_option
def try_(endpoint: str, file: Path | None, as_json: bool) -> None:
    """Posts a trial to an endpoint, once; exit 1 if it does not take it."""
    from gatekeeper.webhooks.delivery import Answer, Deliverer
    from gatekeeper.webhooks.outbox import event_id
    from schemas.codec import encode
    from schemas.webhooks import TrialWebhook, TriedEndpoint

    entry, now = _known(_endpoints(load(), file), endpoint), _now()
    event = TrialWebhook(type="trial", timestamp=instant(now), data=TriedEndpoint(endpoint=endpoint))
    id_ = event_id("trial", endpoint, now)

    async def post() -> Answer:
        async with Deliverer(entry) as deliverer:
            return await deliverer.post(id_, encode(event), now=now)

    answer = asyncio.run(post())
    if as_json:
        show_json({"endpoint": endpoint, "id": id_, "delivered": answer.delivered, "answer": answer.said})
    else:
        key = "cli.webhooks_tried" if answer.delivered else "cli.webhooks_not_taken"
        click.echo(text(key, endpoint=endpoint, id=id_, answer=_answer(answer.said)))
    click.get_current_context().exit(0 if answer.delivered else 1)


def _endpoints(settings: Settings, file: Path | None) -> tuple[Endpoint, ...]:
    from gatekeeper.webhooks.endpoints import read

    if file is None and not settings.webhooks:
        raise UsageError("error.webhooks_unnamed")
    return read(file or Path(settings.webhooks))


def _known(endpoints: Sequence[Endpoint], id_: str) -> Endpoint:
    for endpoint in endpoints:
        if endpoint.id == id_:
            return endpoint
    names = [endpoint.id for endpoint in endpoints]
    raise UsageError("error.webhooks_unknown", near=near(id_, names), known=", ".join(names))


def _outbox(settings: Settings) -> Outbox:
    from gatekeeper.webhooks.outbox import Outbox

    return Outbox(Path(settings.webhooks_data), demand=True)


def _answer(answer: str | None) -> str:
    """An answer in words: the status as it is, or why there was none."""
    key = f"cli.webhooks_answer_{answer}"
    return text(key) if key in catalogue() else answer or "-"


def _instant(written: str | None) -> int | None:
    """The option `--since` in milliseconds; raises UsageError (2) for no time."""
    if written is None:
        return None
    try:
        return span(written, "UTC").first // 1000
    except ValueError:
        raise UsageError("error.option_invalid", option="--since") from None


def _when(at: int | None) -> str | None:
    return None if at is None else instant(at)


def _now() -> int:
    from gatekeeper.webhooks.runner import now_ms

    return now_ms()
