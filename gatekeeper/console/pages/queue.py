"""The queue's pages: causes with what cures them, the sends of a filter, and the same sends as a file."""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Literal, get_args

import orjson
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse, StreamingResponse

from gatekeeper.console import choices, filters
from gatekeeper.console.pages.item import CURES, KEYS, claimed, possible
from gatekeeper.console.session import Session, Viewer
from gatekeeper.console.state import console
from gatekeeper.console.view import language, page
from gatekeeper.ground import times
from gatekeeper.ground.words import Words, narrow
from gatekeeper.index import items
from gatekeeper.index.item_search import ORDERS, PAGE, CauseGroup, ItemSearch
from gatekeeper.management.spreadsheet import SpreadsheetRows
from gatekeeper.review.review_item import Item
from gatekeeper.staff.act_kinds import State
from schemas.decision import Reason

router = APIRouter()
CELLS = (
    *("decision_id", "state", "verdict", "primary", "reasons", "remedies", "campaign", "channel", "purpose"),
    *("controller", "source", "origin", "recipient", "mail_date", "seen", "by", "at", "run"),
)


CARDS = 20
"""Causes on a page."""
TOP = 3
"""Largest causes whose share the queue tells."""
TO_DO = ("open",)
"""States that wait for a first look."""
OTHERS = ("proposed", "asked", "undone")
"""States that wait for somebody or something else: a second colleague, the person, another decision."""
Number = Annotated[int, Query(alias="page", ge=1, le=100_000)]
Sort = Literal["due", "oldest", "newest"]
Said = Annotated[str, Query(max_length=60)]


@dataclass(frozen=True, slots=True)
class Card:
    """A cause, with the first reason of one of its items and the filter of all.

    `act`: what ends most of them, None if it cannot succeed or the user may not. `first`: the id of the most urgent.
    """

    group: CauseGroup
    reason: Reason | None
    filter: str
    act: str | None
    first: str

    @property
    def open(self) -> str:
        """The address of its list."""
        return f"/items?{self.filter}"


@router.get("/")
def groups(request: Request, session: Viewer, number: Number = 1) -> Response:
    """The causes that withhold sends: those that can be cured first, and of these the largest."""
    held, written = console(request), filters.written(request)
    search = replace(filters.search(request, written), states=TO_DO)
    pairs = filters.pairs(written)
    rest = filters.joined(pair for pair in pairs if pair[0] not in ("verdict", "state"))
    every = replace(filters.search(request, rest), states=TO_DO)
    with held.model.read() as db:
        causes = search.groups(db)
        last = -(-len(causes) // CARDS) or 1
        number = min(number, last)
        shown = causes[(number - 1) * CARDS : number * CARDS]
        registered = held.registrations.now(db)
        cards = [_card(request, db, group, search, template=registered.may_ask) for group in shown]
        verdicts = every.verdicts(db)
        nearest = search.nearest(db)
        others = {state: replace(every, states=(state,)).count(db) for state in OTHERS}
        informational = _informational(db, session)
        names = registered.names(language(request))
        cursor = held.model.cursor()
    return page(
        request,
        "groups",
        names=names,
        cards=cards,
        causes=len(causes),
        top=sum(group.n for group in causes[:TOP] if group.verdict != "block"),
        verdicts={verdict: verdicts.get(verdict, 0) for verdict in CURES},
        chosen=search.query.wanted.get("verdict", frozenset()),
        nearest=nearest,
        others=others,
        before=times.day(1000 * nearest[0], search.zone) if nearest else None,
        rest=rest,
        now=search.now,
        filter=written,
        cursor=cursor,
        total=sum(group.n for group in causes),
        informational=informational,
        number=number,
        last=last,
    )


@router.get("/items")
def listed(request: Request, session: Viewer, number: Number = 1, sort: Sort = "due", find: Said = "") -> Response:
    """The sends of a filter; `sort`: the most urgent first, or by the time of waiting.

    `find`: a part of the name of a campaign, list or form. One match is added to the filter; of several, each is
    offered; and none shows no send.
    """
    held, typed, written = console(request), narrow(find), filters.written(request)
    search = filters.search(request, written)
    with held.model.read() as db:
        registered = held.registrations.now(db)
        names = registered.names(language(request))
        matches = [
            (key, value, n, filters.joined([*((k, v) for k, v in filters.pairs(written) if k != key), (key, value)]))
            for key, value, n in (choices.named(search, db, typed, _name(names, request)) if typed else ())
        ]
        if len(matches) == 1:
            return RedirectResponse(f"/items?{matches[0][-1]}&sort={sort}", 303)
        total = search.count(db)
        last = -(-total // PAGE) or 1
        number = min(number, last)
        shown = [] if typed else list(search.items(db, most=PAGE, skip=(number - 1) * PAGE, order=sort))
        pending = search.pending(db, [item.id for item in shown])
        values = choices.values(search, db)
        allowed = [
            kind for kind in choices.ACTS if session.may(kind) and not typed and (kind != "ask" or registered.may_ask)
        ]
        kinds = {kind: _bulk(search, kind, written) for kind in choices.acts(search, db, allowed)}
        cursor = held.model.cursor()
    return page(
        request,
        "items",
        names=names,
        find=typed,
        matches=matches,
        possible={item.id: possible(item, session, search.now, template=registered.may_ask) for item in shown},
        items=shown,
        dues={item.id: item.due(search.zone) for item in shown},
        pending=pending,
        total=total,
        now=search.now,
        filter=written,
        opened=written or f"state={','.join(search.states)}",  # without a filter, too, each item leads to the next
        claimed={item.id: claimed(item, search.now) for item in shown},
        wanted={key: sorted(values) for key, values in search.query.wanted.items()},
        without=_without(written),
        values=values,
        states=get_args(State),
        ages=choices.AGES,
        sort=sort,
        sorts=ORDERS,
        number=number,
        last=last,
        kinds=kinds,
        keys=KEYS,
        cursor=cursor,
    )


@router.get("/items.csv")
def as_csv(request: Request, session: Viewer) -> Response:
    """The sends of a filter as CSV, in UTF-8 with the byte order mark that spreadsheets need."""

    def lines() -> Iterator[str]:
        out = io.StringIO(newline="")
        table = SpreadsheetRows(out, CELLS)
        for item in _all(request, search):
            table.write({name: value for name, value in item.plain().items() if name in CELLS})
            yield out.getvalue()
            out.seek(0)
            out.truncate()
        yield out.getvalue()

    search = filters.search(request, filters.written(request))
    return StreamingResponse(lines(), media_type="text/csv; charset=utf-8", headers=_as_file("review.csv"))


@router.get("/items.jsonl")
def as_lines(request: Request, session: Viewer) -> Response:
    """The sends of a filter, one JSON object a line, as `gatekeeper review list --json` prints them."""
    search = filters.search(request, filters.written(request))
    lines = (orjson.dumps(item.plain()) + b"\n" for item in _all(request, search))
    return StreamingResponse(lines, media_type="application/jsonl", headers=_as_file("review.jsonl"))


def _all(request: Request, search: ItemSearch) -> Iterator[Item]:
    # each batch opens its own read, because different threads may ask for the batches
    skip = 0
    while True:
        with console(request).model.read() as db:
            batch = list(search.items(db, most=1_000, skip=skip))
        yield from batch
        if len(batch) < 1_000:
            return
        skip += len(batch)


def _as_file(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}


def _card(request: Request, db: sqlite3.Connection, group: CauseGroup, search: ItemSearch, *, template: bool) -> Card:
    reasons, wanted = items.decision(db, group.sample).reasons, search.query.wanted
    cause = {"primary": group.primary, "campaign": group.campaign, "origin": group.origin or ""}
    cause["verdict"] = group.verdict
    rest = [(key, ",".join(sorted(values))) for key, values in wanted.items() if key not in cause]
    states = [] if "state" in wanted else [("state", ",".join(search.states))]
    written = filters.joined([*cause.items(), *rest, *states])
    act, own = CURES.get(group.verdict), filters.search(request, written)
    # without a known origin, the filter finds those of other origins, too
    fits = (
        act
        and (act != "ask" or template)
        and group.origin is not None
        and request.state.session.may(act)
        and choices.acts(own, db, [act])
    )
    first = next(own.items(db, most=1), None) if fits and act == "release" else None
    return Card(
        group,
        reasons[0] if reasons else None,
        written,
        act if fits else None,
        first.id if first else group.sample,
    )


def _name(names: Mapping[str, str], request: Request) -> Callable[[str, str], str]:
    """Gives the name of a campaign or an origin as the list shows it, in the reader's language."""
    words = Words(language(request), console(request).zone())

    def name(key: str, value: str) -> str:
        if key == "campaign":
            return names.get(f"campaign/{value}", value)
        kind, _, id_ = value.partition("/")
        return names.get(value) or (words.word(f"method.{id_}") if kind == "method" else id_)

    return name


def _bulk(search: ItemSearch, kind: str, written: str) -> str:
    """The filter of an act on all items of a list: those among them in whose state it is possible."""
    rest = [pair for pair in filters.pairs(written) if pair[0] != "state"]
    return filters.joined([*rest, ("state", ",".join(sorted(choices.possible_states(kind, search))))])


def _without(written: str) -> dict[str, str]:
    """For each key of a filter, the filter without that key."""
    return {
        key: filters.joined(pair for pair in filters.pairs(written) if pair[0] != key)
        for key, _ in filters.pairs(written)
    }


def _informational(db: sqlite3.Connection, session: Session) -> int:
    within, limits = session.access.where("see")
    wanted = f"{items.WAITS} AND informational AND state = 'open' AND {within}"
    row = db.execute(f"SELECT count(*) FROM item WHERE {wanted}", limits).fetchone()
    return int(row[0])
