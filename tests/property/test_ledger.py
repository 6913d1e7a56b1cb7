"""After any sends, acts and facts, in any order, the ledger holds exactly what the audit records imply."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.ground.times import instant
from schemas.topics import DAY_MS
from tests.support import invented
from tests.support.desk import BROKER, DELIVERY, TWO, YOUNG, Desk

PEOPLE = {
    "P-1": YOUNG,
    "P-2": (invented.source(), invented.consent()),
    "P-3": TWO,
    "P-4": (invented.source(**BROKER),),
    "P-5": (),
}
"""Two whose pieces a reviewer may release, the one alone and the other with a second person; one who is cleared; one
who is to be asked; one to whom recall notices are owed."""
REASON = {"evidence_ref": "scan-9"}


def of(name: str, event: invented.Event) -> invented.Event:
    """Returns the event as one about this person."""
    return event[0], {**event[1], "recipient_id": name}


def sent(name: str, number: int = 0) -> dict[str, Any]:
    """Returns what is special about a send to them; recall notices come as several events, each of them twice."""
    if name == "P-5":
        return {"message_class": "safety_legal", "event_id": f"E-{number % 3}"}
    return {"delivery": DELIVERY} if name == "P-4" else {}


def against(name: str) -> invented.Event:
    """Returns what speaks against all mail to them."""
    if name == "P-5":
        return of(name, invented.suppression(kind="undeliverable", received_at="2026-11-01"))
    return of(name, invented.consent(record_id="R-9", state="Withdrawn", event_time="2026-11-01"))


def steps() -> st.SearchStrategy[list[tuple[Any, ...]]]:
    """Returns what goes on in a partition: acts above all."""
    kinds = st.sampled_from(("release", "release", "approve", "uphold", "redecide", "undo", "ask"))
    act = st.tuples(st.just("act"), kinds, st.integers(0, 4), st.sampled_from(("hanako", "taro")))
    names = ("send", "late", "late", "spoil", "no", "no and weigh")
    named = st.tuples(st.sampled_from(names), st.sampled_from(sorted(PEOPLE)))
    other = st.tuples(st.sampled_from(("handoff", "handoff", "again", "cancel", "reemit", "yes", "yes", "known")))
    days = st.tuples(st.just("days"), st.sampled_from((1, 3, 15, 30)))
    return st.lists(act | act | named | other | days, min_size=4, max_size=16)


@given(steps())
def test_any_course_of_events_then_the_ledger_is_what_the_audit_records_imply(course: list[tuple[Any, ...]]) -> None:
    desk = Desk(*(of(name, event) for name, events in PEOPLE.items() for event in events))
    for name in PEOPLE:
        desk.send(recipient_id=name, **sent(name))
    for number, (step, *more) in enumerate(course):
        desk.at += 60_000
        if step == "act":
            kind, item, by = more
            evidence = REASON if kind == "release" else {}
            desk.act(kind, item % len(desk.review), by=by, act_id=f"a-{number}", at=instant(desk.at), **evidence)
        elif step in ("send", "late"):
            desk.send(recipient_id=more[0], late=step == "late", **sent(more[0], number))
        elif step == "spoil":
            desk.spoil(more[0], number)
        elif step == "known":
            for offset in range(number):
                desk.resolve(offset)
            desk.reconsider()
        elif step.startswith("no"):
            desk.learn(against(more[0]))
            if step == "no and weigh":
                desk.weigh()
        elif step == "yes":
            for ask in desk.asks():
                when = instant(desk.at - 1)[: 10 if number % 2 else None]  # of a yes only the day may be known
                said = invented.consent(record_id=f"R-{number}", answers=ask.request_id, event_time=when)
                desk.learn(of(ask.recipient_id, said))
            desk.reconsider()
        elif step == "reemit":
            for place, piece in enumerate(list(desk.state.clearances(desk.at))):
                desk.reemit(piece.did, act_id=f"{step}-{number}-{place}", after=piece.reemitted)
        elif step == "days":
            desk.at += more[0] * DAY_MS
        else:
            kind = "handoff" if step == "again" else step
            desk.campaign(kind, act_id=f"{step}-{number}", **({"again": True} if step == "again" else {}))
        desk.check_ledger()
