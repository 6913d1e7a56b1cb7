"""`gatekeeper audit explain`: why a piece was let go or held back, on one page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from gatekeeper import policy
from gatekeeper.audit.folder import Folder
from gatekeeper.audit.quest import Quest, Search
from gatekeeper.audit.story import Seal, Story, Told
from gatekeeper.audit.trail import Trail
from gatekeeper.cli.output import json_option, note, progress_bar, show_json, show_table
from gatekeeper.errors import IncompleteError, UsageError
from gatekeeper.settings import load
from gatekeeper.spans import local, span
from gatekeeper.texts import text
from streams.trail import LiveTrail

LIVE = "live"


@click.command("explain", help=text("cli.audit_explain"))
@click.argument("asked", metavar="DID|SEND_ID|INQUIRY_CODE")
@click.argument("where", metavar="[DIR|live]", default=LIVE)
@json_option
def command(asked: str, where: str, as_json: bool) -> None:
    """Prints the page; exit 2 where nothing is found, 5 where not all records could be read."""
    quest = Quest.read(asked)
    with _trail(where) as trail, progress_bar() as bar:
        task = bar.add_task(text("cli.audit_reading"), total=None)
        search = Search(trail, lambda: bar.advance(task))
        found = search.found(quest)
        stories = [Story(piece, _seal(where), local=_clock(trail, piece)) for piece in found]
    for trouble in search.troubles:
        note("cli.audit_explain_part", trouble=trouble)
    if not found:
        nothing = IncompleteError if search.troubles else UsageError
        raise nothing("error.explain_nothing", asked=quest.text, where=where, days=f"{load().audit_days:,}")
    if as_json:
        show_json({"asked": quest.text, "where": where, "pieces": [story.plain() for story in stories]})
    elif len(stories) > 1:
        note("cli.audit_explain_several", count=len(stories))
        names = ("decision_id", "inquiry_code", "campaign", "channel", "verdict", "seen")
        show_table([f"cli.column_{name}" for name in names], [story.row() for story in stories])
    else:
        click.echo(stories[0].page())
    click.get_current_context().exit(5 if search.troubles else 0)


@contextmanager
def _trail(where: str) -> Iterator[Trail]:
    if where == LIVE:
        with LiveTrail(load()) as trail:
            yield trail
    else:
        yield Folder(Path(where))


def _seal(where: str) -> Seal | None:
    return None


def _clock(trail: Trail, piece: list[Told]) -> Callable[[str], str]:
    """Returns what writes an instant as the clocks show it where the policy that decided is at home."""
    text_of = trail.policy(piece[0].record["policy"]["sha256"])
    zone = policy.read(text_of, file="policy").timezone if text_of else "UTC"
    return lambda at: local(span(at, zone).first, zone)
