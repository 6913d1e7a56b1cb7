"""The overview page: decisions over time, progress of gate and seal, waiting sends, acts, and overturned rules."""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from statistics import quantiles
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from gatekeeper.console import given_reasons
from gatekeeper.console.session import Viewer
from gatekeeper.console.state import console
from gatekeeper.console.view import language, page, told
from gatekeeper.deciding.facts import WHOLE_BATCH
from gatekeeper.deciding.rules.system import GAP, TOKEN_KEY
from gatekeeper.ground import times as spans
from gatekeeper.ground.times import local
from gatekeeper.index import act_log, flow
from gatekeeper.index.items import WAITS
from gatekeeper.policy.reasons import VERDICTS
from gatekeeper.report import chart
from schemas.topics import DAY_MS
from streams.client.proven_position import ProvenPositions
from streams.operations import fleet

router = APIRouter()
SPANS = {"day": 1, "week": 7, "quarter": 90}
"""Spans of the flow in days; a day is shown by hours, the others by days."""
SHOWN = 12
"""The number of reasons shown, and of acts."""
SMALL = 32
"""Height of a reason's plot."""
LOOKED_AT = 100
"""Sends that wait for facts and are looked at for the cause, of the oldest and of the newest ones."""
TIMED = 1_000
"""The number of latest human decisions from which waiting times are computed."""


@router.get("/overview")
def overview(request: Request, session: Viewer, span: str = "week") -> Response:
    """The overview page; `span`: day, week or quarter, week for any other value."""
    held, lang = console(request), language(request)
    now, zone, days = held.now(), held.zone(), SPANS.get(span, SPANS["week"])
    with held.model.read() as db:
        rows = flow.decided(db, now - days * DAY_MS, session.access)
        heads, positions = flow.heads(db), held.model.positions()
        acts = act_log.recent(db, most=SHOWN, access=session.access)
        words = given_reasons.places(db, [act.act_id for act in acts])
        names = held.registrations.now(db).names(lang)
        values: dict[str, Any] = {
            name: made(db, session.access.where("see"))
            for name, made in (
                *(("waiting", waiting), ("overturns", overturns), ("times", times)),
                ("widely", widely),
            )
        }
    frame = buckets(now, days, zone)
    sealed = fleet.seal(held.settings)
    newest = max((head.at for head in heads), default=None)
    return page(
        request,
        "overview",
        spans=SPANS,
        span_=span if span in SPANS else "week",
        plot=chart.stacked(over(rows, frame, zone, 1), VERDICTS),
        totals=_totals(rows),
        reasons=_reasons(rows, frame, zone),
        lags=lags(positions, heads) if session.may_everywhere("see") else None,
        newest=newest,
        sealed=sealed,
        seal_late=bool(sealed and sealed.late(decided=newest, now=now)),
        now=now,
        acts=[(act, told(act.outcome, act.code, lang)) for act in acts],
        words=held.words(words),
        names=names,
        **values,
    )


def buckets(now: int, days: int, zone: str) -> list[str]:
    """The local names of the hours or days up to now in `zone`."""
    step = flow.HOUR_MS if days == 1 else DAY_MS
    names = [_name(at, days, zone) for at in range(now - days * DAY_MS + step, now + 1, step)]
    return list(dict.fromkeys(names))


def over(
    rows: Sequence[tuple[int, str, str, int]], frame: Sequence[str], zone: str, column: int | None
) -> list[tuple[str, Mapping[str, int]]]:
    """Counts by bucket, split by the value in a column of the rows (None: not split)."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    hourly = bool(frame) and ":" in frame[0]
    for row in rows:
        kind = "all" if column is None else str(row[column])
        counts[_name(row[0], 1 if hourly else 2, zone)][kind] += row[3]
    return [(name, counts[name]) for name in frame]


Within = tuple[str, list[str]]
"""SQL condition for the items that are counted, with its values (gatekeeper.index.access.Access.where)."""


def waiting(db: sqlite3.Connection, within: Within) -> list[sqlite3.Row]:
    """The number of waiting sends in each state, with the oldest arrival and the earliest due time."""
    return db.execute(
        f"SELECT state, count(*) AS n, min(seen) AS oldest, min(due) AS due FROM item WHERE {WAITS}"
        f" AND NOT informational AND {within[0]} GROUP BY state ORDER BY n DESC",
        within[1],
    ).fetchall()


def overturns(db: sqlite3.Connection, within: Within) -> list[sqlite3.Row]:
    """Human decisions by primary reason: released sends, and all decided; an often overturned rule is wrong."""
    return db.execute(
        "SELECT \"primary\" AS reason, sum(state = 'released') AS released, count(*) AS decided FROM item"
        f" WHERE NOT {WAITS} AND state IN ('released', 'upheld') AND {within[0]}"
        " GROUP BY 1 ORDER BY 1.0 * released / decided DESC, decided DESC, 1",
        within[1],
    ).fetchall()


def widely(db: sqlite3.Connection, within: Within) -> list[tuple[str, str, int]]:
    """The records and token keys that withhold many, by the sends that wait for them.

    Each is the case of its sentence, the record or key, and the arrival of the first such send. Oldest and newest sends
    are looked at.
    """
    where = f"\"primary\" = 'FACTS_UNAVAILABLE' AND {WAITS} AND NOT informational AND {within[0]}"
    arrivals: dict[str, int] = {}
    for order in ("seen", "seen DESC"):
        for value, seen in db.execute(
            f"SELECT value, seen FROM item JOIN record ON record.did = item.id WHERE {where} ORDER BY {order} LIMIT ?",
            (*within[1], LOOKED_AT),
        ):
            for place in _of_many(value):
                arrivals[place] = min(seen, arrivals.get(place, seen))
    rows = [(*_case(place), seen) for place, seen in arrivals.items()]
    return sorted(rows, key=lambda row: (row[2], row))[:SHOWN]


def _case(place: str) -> tuple[str, str]:
    """The case of the sentence about a place that withholds many, and what it names."""
    for case, beginning in (("key", TOKEN_KEY), ("gap", GAP)):
        if place.startswith(beginning):
            return case, place.removeprefix(beginning)
    return "record", place


def _of_many(value: bytes) -> list[str]:
    """The places in an audit record's FACTS_UNAVAILABLE that concern more than the person."""
    reasons = orjson.loads(value)["reasons"]
    places = [fact for reason in reasons if reason["code"] == "FACTS_UNAVAILABLE" for fact in reason["facts"]]
    return [place.removesuffix(f"/{WHOLE_BATCH}") for place in places if place.endswith(f"/{WHOLE_BATCH}")]


def times(db: sqlite3.Connection, within: Within) -> dict[str, Any] | None:
    """Waiting times until a human decision, in milliseconds: median, 90th percentile, and number of sends."""
    rows = db.execute(
        f"SELECT seen, at FROM item WHERE NOT {WAITS} AND state IN ('released', 'upheld') AND at IS NOT NULL"
        f" AND {within[0]} ORDER BY changed DESC LIMIT ?",
        (*within[1], TIMED),
    )
    took = sorted(max(0, spans.span(row["at"], "UTC").first // 1000 - row["seen"]) for row in rows)
    if not took:
        return None
    tenths = quantiles(took, n=10, method="inclusive") if len(took) > 1 else took * 9
    return {"median": int(tenths[4]), "most": int(tenths[8]), "n": len(took)}


def lags(positions: ProvenPositions, heads: Sequence[flow.PartitionProgress]) -> list[tuple[int, int]]:
    """Undecided sends by partition: sends that the model has read, minus decided sends."""
    next_ = {head.partition: head.next or 0 for head in heads}
    ends = {number: position.next for (topic, number), position in sorted(positions.items()) if topic == "sends"}
    return [(number, max(0, end - next_.get(number, 0))) for number, end in ends.items()]


def _reasons(
    rows: Sequence[tuple[int, str, str, int]], frame: Sequence[str], zone: str
) -> list[tuple[str, int, chart.Plot]]:
    """The most frequent reasons, each with its number and its plot."""
    reasons = []
    for reason, n in flow.reasons_over(rows)[:SHOWN]:
        mine = over([row for row in rows if row[2] == reason], frame, zone, None)
        reasons.append((reason, n, chart.stacked(mine, ("all",), height=SMALL)))
    return reasons


def _totals(rows: Sequence[tuple[int, str, str, int]]) -> dict[str, int]:
    totals: Counter[str] = Counter()
    for _, verdict, _, n in rows:
        totals[verdict] += n
    return {verdict: totals[verdict] for verdict in VERDICTS}


def _name(at: int, days: int, zone: str) -> str:
    local_time = local(at * 1000, zone)
    return local_time[5:13].replace("T", " ") + ":00" if days == 1 else local_time[:10]
