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
    known = _endpoints(settings, file)
    log.configure(settings.log_level)

    def started(port: int) -> None:
        url = f"http://{settings.http_host}:{port}/readyz"
        if as_json:
            show_json({"health": url, "endpoints": [one.id for one in known]})
        else:
            click.echo(text("cli.webhooks_runs", count=len(known), url=url))
        if any("seal.late" in one.events for one in known) and not settings.log_folder.exists():
            note("cli.webhooks_no_log", folder=settings.log_folder)

    runner.run(settings, known, since=_instant(since), started=started)


@command.command("list", help=text("cli.webhooks_list"))
@endpoints_option
@json_option
def list_(file: Path | None, as_json: bool) -> None:
    """Prints the backlog of each endpoint; exit 1 if one has dead letters, or wants no more events."""
    settings = load()
    known, outbox = _endpoints(settings, file), _outbox(settings)
    now, found = _now(), {one.id: outbox.backlog(one.id) for one in known}
    if as_json:
        for id_, one in found.items():
            told: dict[str, Any] = {"endpoint": id_, "waiting": one.waiting, "tried": one.tried, "answer": one.answer}
            show_json(told | {"oldest": _when(one.oldest), "dead": one.dead, "gone": _when(one.gone)})
    else:
        show_table(
            [f"cli.column_{name}" for name in ("endpoint", "waiting_events", "oldest", "answer", "dead", "state")],
            [
                (
                    id_,
                    one.waiting,
                    age((now - one.oldest) / 1000) if one.oldest else "-",
                    _answer(one.answer),
                    one.dead,
                    text(f"cli.webhooks_{'gone' if one.gone else 'open'}"),
                )
                for id_, one in found.items()
            ],
            numbers=(1, 2, 4),
        )
    click.get_current_context().exit(1 if any(one.dead or one.gone for one in found.values()) else 0)


@command.command("dead", help=text("cli.webhooks_dead"))
@click.argument("endpoint", required=False)
@json_option
def dead(endpoint: str | None, as_json: bool) -> None:
    """Prints the dead letters, of one endpoint or all; exit 1 if there are any."""
    found = _outbox(load()).dead(endpoint)
    if as_json:
        for one in found:
            told = {"endpoint": one.endpoint, "id": one.id, "type": one.type, "at": instant(one.at)}
            show_json(told | {"dead": instant(one.since), "tries": one.tries, "answer": one.answer})
    elif found:
        show_table(
            [f"cli.column_{name}" for name in ("endpoint", "id", "webhook", "at", "dead", "tries", "answer")],
            [
                (one.endpoint, one.id, one.type, instant(one.at), instant(one.since), one.tries, _answer(one.answer))
                for one in found
            ],
            numbers=(5,),
        )
    else:
        note("cli.webhooks_none_dead")
    click.get_current_context().exit(1 if found else 0)


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

    found, now = _known(_endpoints(load(), file), endpoint), _now()
    event = TrialWebhook(type="trial", timestamp=instant(now), data=TriedEndpoint(endpoint=endpoint))
    id_ = event_id("trial", endpoint, now)

    async def post() -> Answer:
        async with Deliverer(found) as deliverer:
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
    for one in endpoints:
        if one.id == id_:
            return one
    names = [one.id for one in endpoints]
    raise UsageError("error.webhooks_unknown", near=near(id_, names), known=", ".join(names))


def _outbox(settings: Settings) -> Outbox:
    from gatekeeper.webhooks.outbox import Outbox

    return Outbox(Path(settings.webhooks_data), demand=True)


def _answer(said: str | None) -> str:
    """An answer in words: the status as it is, or why there was none."""
    key = f"cli.webhooks_answer_{said}"
    return text(key) if key in catalogue() else said or "-"


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
